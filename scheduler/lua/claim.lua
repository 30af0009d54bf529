-- ARGV: id, worker, lease seconds, token, the worker's seat. Asked again with the same token it gives the same answer, so that a
-- lost answer does not lose the job for the length of a lease.
local id, worker, lease, token, seat = unpack(ARGV)
if not (get(id, 'state') == 'RUNNING' and get(id, 'token') == token) then
  if not move(id, 'RUNNING') then return false end
  redis.call('HINCRBY', record(id), 'attempt', 1)
  redis.call('HSETNX', record(id), 'started', stamp(now))
  redis.call('HSET', record(id), 'worker', worker, 'token', token, 'attempt_started', stamp(now), 'lease', lease,
    'seat', seat)
  observe('wait|' .. get(id, 'pool'), now - tonumber(get(id, 'queued') or now))
  redis.call('ZREM', P .. 'outbox', id)
end
redis.call('ZADD', P .. 'leases', stamp(now + tonumber(lease)), id)
local fields, whole = redis.call('HGETALL', record(id)), get(id, 'whole')
if whole then
  -- What all parts have in common is kept once.
  redis.call('HSETNX', record(whole), 'rows_since', stamp(now))
  for _, name in ipairs({ 'spec', 'inputs' }) do
    table.insert(fields, name)
    table.insert(fields, get(whole, name))
  end
end
return fields
