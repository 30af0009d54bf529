-- ARGV: id, attempt, lease seconds. Answers with the wishes on the record and its progress, or nothing when the
-- lease is lost.
local id, attempt, lease = unpack(ARGV)
if not holds(id, attempt) then return false end
redis.call('ZADD', P .. 'leases', stamp(now + tonumber(lease)), id)
local wish = ''
-- A wish to preempt is meant for one attempt: the next one has a right to its slot again.
if get(id, 'preempt') == attempt then wish = 'preempt' end
if get(id, 'pause') == '1' then wish = 'pause' end
if get(id, 'cancel') == '1' then wish = 'cancel' end
return { wish, get(id, 'progress') or '', get(id, 'progressed') or '' }
