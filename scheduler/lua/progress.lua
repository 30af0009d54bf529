-- ARGV: id, attempt, progress (JSON), its step. Steps that a later attempt does again are work, and count again.
local id, attempt, progress, step = unpack(ARGV)
if not holds(id, attempt) then return 0 end
redis.call('HSET', record(id), 'progress', progress, 'progressed', stamp(now))
local more = tonumber(step) - tonumber(get(id, 'step') or 0)
if more ~= 0 then redis.call('HSET', record(id), 'step', step) end
if more > 0 then count('steps|' .. get(id, 'kind'), more) end
recovered(id)
local whole = get(id, 'whole')
if not whole then announce(id, 'progress', progress) elseif more ~= 0 then add_rows(whole, more) end
return 1
