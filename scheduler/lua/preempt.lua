-- ARGV: id, attempt.
local id, attempt = unpack(ARGV)
if not holds(id, attempt) or get(id, 'preempt') == attempt then return 0 end
redis.call('HSET', record(id), 'preempt', attempt)
return 1
