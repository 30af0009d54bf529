-- ARGV: id, attempt, '1' if it counts against the attempts, cause, message, seconds to wait.
local id, attempt, charged, cause, message, delay = unpack(ARGV)
if not holds(id, attempt) then return false end
return give_back(id, charged == '1', cause, message, tonumber(delay))
