-- ARGV: target. Who refers to it, or nothing.
return holder(ARGV[1])
