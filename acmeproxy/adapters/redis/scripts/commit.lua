-- One transition, all or nothing: expectations, budgets, documents, index entries, jobs, notifications.
--
-- KEYS     every key that the plan names, by position
-- ARGV[1]  the plan in MessagePack; what it writes stands in ARGV[2] and after, by position:
--            expect   {key position, sha1 of the document that must be there, or "" for none}
--            spend    {key position, microseconds that one costs, microseconds that the budget holds,
--                      now in microseconds since 1970, use: take, look or charge}
--            write    {key position, document position, seconds to live or 0}
--            delete   {key position}
--            rank     {key position, score, member position}   (sorted set)
--            unrank   {key position, member position}          (sorted set)
--            enqueue  {key position, job position}             (stream)
--            tell     {channel, message position}
--
-- Returns 1 when done, 2 when an earlier call with the same documents had done it (its answer was lost),
-- 0 when an expectation does not hold, or {position in spend, microseconds to wait} of the budget that lasts
-- longest until it holds what is asked; in the last two cases nothing was changed.
--
-- A budget is one number, the moment at which it is full again (GCRA): spending moves it into the future,
-- and further than what the budget holds it must not go. It expires at that moment.
local plan = cmsgpack.unpack(ARGV[1])

local holds = true
for _, expect in ipairs(plan.expect) do
  local document = redis.call('GET', KEYS[expect[1]])
  local revision = document and redis.sha1hex(document) or ''
  if revision ~= expect[2] then holds = false end
end

if not holds then
  if #plan.write == 0 then return 0 end
  for _, write in ipairs(plan.write) do
    if redis.call('GET', KEYS[write[1]]) ~= ARGV[write[2]] then return 0 end
  end
  -- Written once more as it is: only after a write of its own does a connection wait for the disk (INV-6).
  local first = plan.write[1]
  redis.call('SET', KEYS[first[1]], ARGV[first[2]], 'KEEPTTL')
  return 2
end

local full, refused, longest = {}, 0, 0
for index, spend in ipairs(plan.spend) do
  local key, cost, holds, now, use = KEYS[spend[1]], spend[2], spend[3], spend[4], spend[5]
  local moment = full[key] or tonumber(redis.call('GET', key) or now)
  local spent = math.max(moment, now) + cost
  local wait = spent - holds - now
  if use == 'charge' then
    spent = math.min(spent, now + holds)
  elseif wait > longest then
    refused, longest = index, wait
  end
  if use ~= 'look' then full[key] = spent end
end
if refused > 0 then return {refused, longest} end

for _, spend in ipairs(plan.spend) do
  local key, now = KEYS[spend[1]], spend[4]
  if full[key] then
    redis.call('SET', key, string.format('%.0f', full[key]), 'PX', math.ceil((full[key] - now) / 1000))
  end
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
