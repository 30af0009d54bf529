-- ARGV: at most how many of each, seconds that a publisher may take. Does what is due and answers with
-- { jobs whose lease ran out..., } and { jobs whose message is to be published... }.
local most, patience = tonumber(ARGV[1]), tonumber(ARGV[2])
local lost = redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', stamp(now), 'LIMIT', 0, most)
for _, id in ipairs(lost) do
  give_back(id, true, 'WORKER_LOST', 'worker ' .. (get(id, 'worker') or '?') .. ' was lost', 0)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'delayed', '-inf', stamp(now), 'LIMIT', 0, most)) do
  redis.call('ZREM', P .. 'delayed', id)
  if get(id, 'state') == 'WAITING' and ready(id) then enqueue(id) end
end
local due = redis.call('ZRANGEBYSCORE', P .. 'outbox', '-inf', stamp(now - patience), 'LIMIT', 0, most)
-- What was lost just now need not wait for its patience.
for _, id in ipairs(lost) do
  if get(id, 'state') == 'QUEUED' then table.insert(due, id) end
end
return { lost, due }
