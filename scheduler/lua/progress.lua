-- ARGV: id, attempt, progress (JSON), its step. Steps that a later attempt does again are work, and count again.
local id, attempt, progress, step = unpack(ARGV)
if not holds(id, attempt) then return 0 end
redis.call('HSET', record(id), 'progress', progress, 'progressed', stamp(now))
local more = tonumber(step) - tonumber(get(id, 'step') or 0)
if more ~= 0 then redis.call('HSET', record(id), 'step', step) end
if more > 0 then count('steps|' .. get(id, 'kind'), more) end
recovered(id)
announce(id, 'progress', progress)
return 1
