-- ARGV: id, attempt, final state, cause, message. Asked again it gives the same answer.
local id, attempt, state, cause, message = unpack(ARGV)
if get(id, 'state') == state and get(id, 'attempt') == attempt then return 1 end
if not holds(id, attempt) then return 0 end
if state == 'FAILED' then count('failed|' .. get(id, 'kind') .. '|' .. cause, 1) end
return finish(id, state, cause, message) and 1 or 0
