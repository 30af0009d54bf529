-- ARGV: at most how many of each. Does what is due and answers with { jobs whose lease ran out } and { jobs
-- whose message is to be published }.
local most = tonumber(ARGV[1])
local function due(set)
  return redis.call('ZRANGEBYSCORE', P .. set, '-inf', stamp(now), 'LIMIT', 0, most)
end
local lost = due('leases')
for _, id in ipairs(lost) do
  give_back(id, true, 'WORKER_LOST', 'worker ' .. (get(id, 'worker') or '?') .. ' was lost', 0, 0)
end
for _, id in ipairs(due('delayed')) do
  redis.call('ZREM', P .. 'delayed', id)
  if get(id, 'state') == 'WAITING' and ready(id) then enqueue(id, 0) end
end
return { lost, due('outbox') }
