-- ARGV: worker, its seat, patience of the outbox. For a worker that has started again and knows that its former
-- self is gone: gives back what that held. Answers with the jobs.
local worker, seat, patience = unpack(ARGV)
local lost = {}
for _, id in ipairs(redis.call('ZRANGE', P .. 'leases', 0, -1)) do
  if get(id, 'worker') == worker and get(id, 'seat') == seat then
    give_back(id, true, 'WORKER_LOST', 'worker ' .. worker .. ' was lost, and is back', 0, tonumber(patience))
    table.insert(lost, id)
  end
end
return lost
