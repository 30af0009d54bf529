-- ARGV: id. What has not begun is held back at once; a running job gets a flag, which its worker sees.
if get(ARGV[1], 'state') then hold(ARGV[1]) end
return get(ARGV[1], 'state')
