-- ARGV: id, attempt, patience of the outbox, rows, then of each part its id, what it is (JSON), its rows, its
-- fingerprint, '1' if its result is in the store, and the last number of an attempt at it. The job waits for them as
-- for parents. Asked again, it gives the same answer.
local id, attempt, patience, rows = unpack(ARGV)
if get(id, 'parts') and get(id, 'attempt') == attempt and get(id, 'state') ~= 'RUNNING' then return 1 end
if not holds(id, attempt) then return 0 end
local kind, pool, priority, attempts, created =
  unpack(redis.call('HMGET', record(id), 'kind', 'pool', 'priority', 'attempts', 'created'))
local done, complete, parts = 0, 0, 0
redis.call('DEL', P .. 'parts_of:' .. id)
for i = 5, #ARGV, 6 do
  local part, about, size, fingerprint, ended, past = unpack(ARGV, i, i + 5)
  redis.call('RPUSH', P .. 'parts_of:' .. id, part)
  if redis.call('EXISTS', record(part)) == 0 then
    local state = ended == '1' and 'SUCCEEDED' or 'WAITING'
    redis.call('HSET', record(part), 'id', part, 'whole', id, 'part', about, 'rows', size, 'fingerprint', fingerprint,
      'kind', kind, 'pool', pool, 'priority', priority, 'attempts', attempts, 'created', created, 'state', state,
      'attempt', past, 'failures', 0)
    redis.call('ZADD', P .. 'parts:' .. state, created, part)
    redis.call('HSET', P .. 'fingerprints', fingerprint, part)
  end
  parts = parts + 1
  if get(part, 'state') == 'SUCCEEDED' then
    done, complete = done + tonumber(size), complete + 1
  else
    redis.call('SADD', P .. 'waits:' .. id, part)
    redis.call('SADD', P .. 'children:' .. part, id)
    enqueue(part, tonumber(patience))
  end
end
redis.call('ZREM', P .. 'leases', id)
redis.call('RPUSH', P .. 'attempts:' .. id, cjson.encode({ attempt = tonumber(attempt), worker = get(id, 'worker'),
  cause = '', message = 'divided into ' .. parts .. ' parts', ended = now }))
redis.call('HSET', record(id), 'parts', parts, 'parts_done', complete, 'rows', rows, 'rows_before', done,
  'rows_done', done, 'failures', 0, 'worker', '')
move(id, 'WAITING')
if ready(id) then enqueue(id, 0) end
if get(id, 'pause') == '1' then hold(id) end
return 1
