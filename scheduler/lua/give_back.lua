-- ARGV: id, attempt, '1' if it counts against the attempts, cause, message, seconds to wait, patience of the
-- outbox.
local id, attempt, charged, cause, message, delay, patience = unpack(ARGV)
if not holds(id, attempt) then return false end
return give_back(id, charged == '1', cause, message, tonumber(delay), tonumber(patience))
