-- ARGV: target, what of it is gone by now. Unless more of it is to go, that is done.
local target, what = unpack(ARGV)
if redis.call('HGET', P .. 'deleting', target) == what then redis.call('HDEL', P .. 'deleting', target) end
