-- ARGV: id, patience of the outbox, '1' if a job of the same fingerprint will do as well, state (empty for a new
-- job, final for one rebuilt from the store), then field and value of the record by turns, 'parents' (a JSON
-- list) and 'start_at' among them. Answers with an id and its state.
local id, patience, reuse, ended = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
if redis.call('EXISTS', record(id)) == 1 then return { id, get(id, 'state') } end
local fields = { created = stamp(now) }
for i = 5, #ARGV, 2 do fields[ARGV[i]] = ARGV[i + 1] end
if reuse == '1' then
  local same = redis.call('HGET', P .. 'fingerprints', fields.fingerprint)
  local state = same and get(same, 'state')
  if state and state ~= 'FAILED' and state ~= 'CANCELLED' then return { same, state } end
end
redis.call('HSET', P .. 'fingerprints', fields.fingerprint, id)
local state = ended == '' and 'WAITING' or ended
redis.call('HSET', record(id), 'id', id, 'state', state, 'attempt', 0, 'failures', 0, 'created', stamp(now),
  unpack(ARGV, 5))
redis.call('ZADD', P .. 'all', fields.created, id)
redis.call('ZADD', P .. 'ids', 0, id)
redis.call('ZADD', P .. 'kind:' .. fields.kind, fields.created, id)
for _, index in ipairs(indices(state, fields.kind)) do redis.call('ZADD', index, fields.created, id) end
if ended ~= '' then return { id, state } end
local start_at = tonumber(fields.start_at)
if start_at > now then redis.call('ZADD', P .. 'delayed', stamp(start_at), id) end
for _, parent in ipairs(cjson.decode(fields.parents)) do
  local state = get(parent, 'state')
  if state == 'FAILED' or state == 'CANCELLED' or not state then
    finish(id, 'FAILED', 'PARENT', 'job ' .. parent .. ', which it needs, ended as ' .. (state or 'unknown'))
    return { id, 'FAILED' }
  elseif state ~= 'SUCCEEDED' then
    redis.call('SADD', P .. 'waits:' .. id, parent)
    redis.call('SADD', P .. 'children:' .. parent, id)
  end
end
if ready(id) then enqueue(id, patience) else announce(id, 'state', 'WAITING') end
return { id, get(id, 'state') }
