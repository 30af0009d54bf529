-- ARGV: id, priority. Of a job that has not ended, and of its parts. Answers with its state, and with what of them is
-- queued, for which other messages are to be sent.
local id, priority = unpack(ARGV)
local state = get(id, 'state')
if not state then return false end
local moved = {}
local function set(job)
  local its = get(job, 'state')
  if FINAL[its] then return end
  redis.call('HSET', record(job), 'priority', priority)
  if its == 'QUEUED' then
    redis.call('ZADD', P .. 'outbox', stamp(now), job)
    table.insert(moved, job)
  end
end
set(id)
for _, part in ipairs(parts_of(id)) do set(part) end
return { state, moved }
