-- One transition, all or nothing: expectations, documents, index entries, jobs, notifications.
--
-- KEYS     every key that the plan names, by position
-- ARGV[1]  the plan in MessagePack; what it writes stands in ARGV[2] and after, by position:
--            expect   {key position, sha1 of the document that must be there, or "" for none}
--            write    {key position, document position, seconds to live or 0}
--            delete   {key position}
--            rank     {key position, score, member position}   (sorted set)
--            unrank   {key position, member position}          (sorted set)
--            enqueue  {key position, job position}             (stream)
--            tell     {channel, message position}
--
-- Returns 1 when done, 2 when an earlier call with the same documents had done it (its answer was lost),
-- or 0 when an expectation does not hold; then nothing was changed.
local plan = cmsgpack.unpack(ARGV[1])

local done = #plan.write > 0
for _, write in ipairs(plan.write) do
  if redis.call('GET', KEYS[write[1]]) ~= ARGV[write[2]] then
    done = false
    break
  end
end
if done then return 2 end

for _, expect in ipairs(plan.expect) do
  local document = redis.call('GET', KEYS[expect[1]])
  local revision = document and redis.sha1hex(document) or ''
  if revision ~= expect[2] then return 0 end
end

for _, write in ipairs(plan.write) do
  if write[3] > 0 then
    redis.call('SET', KEYS[write[1]], ARGV[write[2]], 'EX', write[3])
  else
    redis.call('SET', KEYS[write[1]], ARGV[write[2]])
  end
end
for _, delete in ipairs(plan.delete) do redis.call('DEL', KEYS[delete[1]]) end
for _, rank in ipairs(plan.rank) do redis.call('ZADD', KEYS[rank[1]], rank[2], ARGV[rank[3]]) end
for _, unrank in ipairs(plan.unrank) do redis.call('ZREM', KEYS[unrank[1]], ARGV[unrank[2]]) end
for _, enqueue in ipairs(plan.enqueue) do redis.call('XADD', KEYS[enqueue[1]], '*', 'job', ARGV[enqueue[2]]) end
for _, tell in ipairs(plan.tell) do redis.call('PUBLISH', tell[1], ARGV[tell[2]]) end
return 1
