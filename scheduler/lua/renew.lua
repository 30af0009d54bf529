-- ARGV: id, attempt, lease seconds. Answers with the wishes on the record and its progress, or nothing when the
-- lease is lost.
local id, attempt, lease = unpack(ARGV)
if not holds(id, attempt) then return false end
redis.call('ZADD', P .. 'leases', stamp(now + tonumber(lease)), id)
return { get(id, 'cancel') or '', get(id, 'progress') or '', get(id, 'progressed') or '' }
