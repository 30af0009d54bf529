-- ARGV: id, attempt, progress (JSON).
local id, attempt, progress = unpack(ARGV)
if not holds(id, attempt) then return 0 end
redis.call('HSET', record(id), 'progress', progress, 'progressed', stamp(now))
announce(id, 'progress', progress)
return 1
