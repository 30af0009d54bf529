-- ARGV: id, patience of the outbox, then field and value of the record by turns, 'parents' (a JSON list) and
-- 'start_at' among them.
local id, patience = ARGV[1], tonumber(ARGV[2])
if redis.call('EXISTS', record(id)) == 1 then return 'EXISTS' end
local fields = {}
for i = 3, #ARGV, 2 do fields[ARGV[i]] = ARGV[i + 1] end
redis.call('HSET', record(id), 'id', id, 'state', 'WAITING', 'created', stamp(now), 'attempt', 0, 'failures', 0,
  unpack(ARGV, 3))
redis.call('ZADD', P .. 'all', stamp(now), id)
redis.call('ZADD', P .. 'ids', 0, id)
redis.call('ZADD', P .. 'kind:' .. fields.kind, stamp(now), id)
redis.call('ZADD', P .. 'state:WAITING', stamp(now), id)
local start_at = tonumber(fields.start_at)
if start_at > now then redis.call('ZADD', P .. 'delayed', stamp(start_at), id) end
for _, parent in ipairs(cjson.decode(fields.parents)) do
  local state = get(parent, 'state')
  if state == 'FAILED' or state == 'CANCELLED' or not state then
    finish(id, 'FAILED', 'PARENT', 'job ' .. parent .. ', which it needs, ended as ' .. (state or 'unknown'))
    return 'FAILED'
  elseif state ~= 'SUCCEEDED' then
    redis.call('SADD', P .. 'waits:' .. id, parent)
    redis.call('SADD', P .. 'children:' .. parent, id)
  end
end
if ready(id) then enqueue(id, patience) else announce(id, 'state', 'WAITING') end
return get(id, 'state')
