-- ARGV: name, id, definition (JSON), since when, '1' if it is paused. Does nothing if there is one of that name.
local name, id, definition, since, paused = unpack(ARGV)
if redis.call('EXISTS', schedule(name)) == 1 then return 0 end
redis.call('HSET', schedule(name), 'id', id, 'definition', definition, 'last', since, 'paused', paused,
  'overlap', cjson.decode(definition).overlap)
redis.call('SADD', P .. 'schedules', name)
return 1
