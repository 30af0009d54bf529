-- ARGV: name of a data set. Says that it goes; the objects follow. Answers with OK, or HELD and by whom.
local target = 'dataset/' .. ARGV[1]
local by = holder(target)
if by then return { 'HELD', by } end
redis.call('HSET', P .. 'deleting', target, 'all')
return { 'OK', '' }
