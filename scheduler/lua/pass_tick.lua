-- ARGV: tick (JSON), why there is no job.
return take_tick(cjson.decode(ARGV[1]), nil, ARGV[2]) and 1 or 0
