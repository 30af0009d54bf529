-- ARGV: id, what of it was deleted when it was read. Takes a job out of Redis that the archive has; 0 if something refers
-- to it, or it has changed since.
local id, removed = unpack(ARGV)
local state = get(id, 'state')
if not state or not FINAL[state] or holder('job/' .. id) or (get(id, 'removed') or '') ~= removed then return 0 end
forget(id)
-- For whoever has seen it here and is about to name it as a parent.
redis.call('SET', P .. 'archived:' .. id, state, 'EX', 60)
return 1
