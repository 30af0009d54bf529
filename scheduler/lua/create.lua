-- ARGV: id, patience of the outbox, '1' if a job of the same fingerprint will do as well, state (empty for a new
-- job, final for one rebuilt from the store), then field and value of the record by turns, 'parents' (a JSON
-- list), 'refers' (a JSON list of targets), 'start_at' and, of a job submitted with one, 'key' among them. Answers with an
-- id and its state; or with DELETING and what is being deleted of that which the job refers to, or nothing if its own key
-- stands for another job by now; or with FULL. The state is empty if the tick that it is for ('schedule', JSON) was taken;
-- one that is rebuilt has an 'attempt'.
local id, patience, reuse, ended = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local fields = { created = stamp(now) }
for i = 5, #ARGV, 2 do fields[ARGV[i]] = ARGV[i + 1] end
local tick = fields.schedule and cjson.decode(fields.schedule)
if redis.call('EXISTS', record(id)) == 1 then
  if tick then take_tick(tick, id, '') end
  return { id, get(id, 'state') }
end
if reuse == '1' then
  local same = redis.call('HGET', P .. 'fingerprints', fields.fingerprint)
  local state = same and get(same, 'state')
  if state and state ~= 'FAILED' and state ~= 'CANCELLED' then return { same, state } end
end
if nearly_full() then return { 'FULL', '' } end
local targets = cjson.decode(fields.refers or '[]')
if ended == '' then
  if fields.key and redis.call('GET', P .. 'key:' .. fields.key) ~= id then return { 'DELETING', '' } end
  for _, target in ipairs(targets) do
    local what = redis.call('HGET', P .. 'deleting', target)
    if what and what ~= 'checkpoints' then return { 'DELETING', target } end
  end
  -- A job that the spec names needs its artifacts, and one that a training goes on from its checkpoints.
  for _, parent in ipairs(cjson.decode(fields.parents)) do
    local removed = get(parent, 'removed')
    for field, value in pairs(removed and cjson.decode(fields.spec) or {}) do
      if value == parent and (field == 'extends' or removed == 'checkpoints,artifacts') then
        return { 'DELETING', 'job/' .. parent }
      end
    end
  end
end
if tick and not take_tick(tick, id, '', fields.attempt) and not fields.attempt then return { id, '' } end
-- Of the first job, and so of all, it is known what they refer to (`References.complete`).
if redis.call('ZCARD', P .. 'all') == 0 then redis.call('SET', P .. 'references', 1) end
redis.call('HSET', P .. 'fingerprints', fields.fingerprint, id)
local state = ended == '' and 'WAITING' or ended
redis.call('HSET', record(id), 'id', id, 'state', state, 'attempt', 0, 'failures', 0, 'created', stamp(now),
  unpack(ARGV, 5))
redis.call('ZADD', P .. 'all', fields.created, id)
redis.call('ZADD', P .. 'ids', 0, id)
redis.call('ZADD', P .. 'kind:' .. fields.kind, fields.created, id)
for _, index in ipairs(indices(state, fields.kind)) do redis.call('ZADD', index, fields.created, id) end
for _, target in ipairs(targets) do redis.call('SADD', users(target), id) end
if ended ~= '' then
  note_end(id, fields.finished or fields.created)
  return { id, state }
end
local start_at = tonumber(fields.start_at)
if start_at > now then redis.call('ZADD', P .. 'delayed', stamp(start_at), id) end
local archived = {}
for _, parent in ipairs(cjson.decode(fields.archived_parents or '[]')) do archived[parent] = 'SUCCEEDED' end
for _, parent in ipairs(cjson.decode(fields.parents)) do
  local state = get(parent, 'state') or archived[parent] or redis.call('GET', P .. 'archived:' .. parent)
  if state == 'FAILED' or state == 'CANCELLED' or not state then
    finish(id, 'FAILED', 'PARENT', 'job ' .. parent .. ', which it needs, ended as ' .. (state or 'unknown'))
    return { id, 'FAILED' }
  elseif state ~= 'SUCCEEDED' then
    redis.call('SADD', P .. 'waits:' .. id, parent)
    redis.call('SADD', P .. 'children:' .. parent, id)
  end
end
if ready(id) then enqueue(id, patience) else announce(id, 'state', 'WAITING') end
if fields.pause then hold(id) end
return { id, get(id, 'state') }
