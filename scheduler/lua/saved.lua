-- ARGV: id, attempt, step of a checkpoint that is in the store. A step that no attempt had saved before is progress:
-- the attempts that failed until then are forgiven. Steps are bounded, so no job goes round for ever.
local id, attempt, step = unpack(ARGV)
if not holds(id, attempt) then return 0 end
if tonumber(step) > tonumber(get(id, 'saved') or 0) then
  redis.call('HSET', record(id), 'saved', step, 'failures', 0)
end
return 1
