-- ARGV: name, id, definition (JSON), since when its ticks count, '1' if it is paused.
local name, id, definition, since, paused = unpack(ARGV)
if redis.call('HGET', schedule(name), 'id') ~= id then return 0 end
redis.call('HSET', schedule(name), 'definition', definition, 'last', since, 'paused', paused, 'note', '')
return 1
