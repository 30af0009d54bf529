-- ARGV: id.
if get(ARGV[1], 'state') then let_go(ARGV[1]) end
return get(ARGV[1], 'state')
