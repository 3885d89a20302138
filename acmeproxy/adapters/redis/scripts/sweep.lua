-- Put jobs for all that is due into the stream again, and look at them next after a lease.
--
-- KEYS[1]  sorted set of what is not finished, scored by when to look again (seconds since 1970)
-- KEYS[2]  job stream
-- ARGV[1]  now, in seconds since 1970
-- ARGV[2]  lease in seconds
-- ARGV[3]  how many at the most
--
-- Returns how many were enqueued.
local members = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, member in ipairs(members) do
  redis.call('XADD', KEYS[2], '*', 'job', member)
  redis.call('ZADD', KEYS[1], ARGV[1] + ARGV[2], member)
end
return #members
