-- ARGV: holder, then all that it refers to from now on. Answers with what is being deleted of it, and nothing is held
-- then that was not before.
local name = ARGV[1]
for i = 2, #ARGV do
  local what = redis.call('HGET', P .. 'deleting', ARGV[i])
  if what and what ~= 'checkpoints' then return ARGV[i] end
end
for _, target in ipairs(redis.call('SMEMBERS', P .. 'holds:' .. name)) do redis.call('SREM', users(target), name) end
redis.call('DEL', P .. 'holds:' .. name)
for i = 2, #ARGV do
  redis.call('SADD', users(ARGV[i]), name)
  redis.call('SADD', P .. 'holds:' .. name, ARGV[i])
end
return false
