-- Redis's clock.
return stamp(now)
