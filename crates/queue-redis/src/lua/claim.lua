-- KEYS: processing, dead, then the lists in the order in which they are read.
-- ARGV: prefix of claims, token, how many, lease (ms), whether ended leases are taken over, largest payload, bytes in all,
--       prefix of the payloads of dead letters that are too large to be looked at, now as text.
-- Answers: ms until the next lease ends (-1: there is none), then {id, deliveries, list, payload} for each claim.
local processing, dead = KEYS[1], KEYS[2]
local prefix, token = ARGV[1], ARGV[2]
local wanted, lease = tonumber(ARGV[3]), tonumber(ARGV[4])
local largest, budget = tonumber(ARGV[6]), tonumber(ARGV[7])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease_end = string.format('%.0f', now + lease)
-- Released claims have an end of 0 and never have to wait.
local ended = ARGV[5] == '1' and string.format('%.0f', now) or '0'

-- Also where nothing is to do: a replica would say for ever that nothing is.
allow_writes(prefix .. token)

local answer, bytes = { -1 }, 0
local function room()
    return #answer - 1 < wanted and bytes < budget
end

while room() do
    local id = redis.call('ZRANGEBYSCORE', processing, '-inf', ended, 'LIMIT', 0, 1)[1]
    if not id then
        break
    end
    local claim = prefix .. id
    local kept = redis.call('HMGET', claim, 'list', 'payload')
    if kept[2] then
        local deliveries = redis.call('HINCRBY', claim, 'deliveries', 1)
        redis.call('HSET', claim, 'token', token)
        redis.call('ZADD', processing, lease_end, id)
        answer[#answer + 1] = { id, tostring(deliveries), kept[1] or '', kept[2] }
        bytes = bytes + #kept[2]
    else
        redis.call('ZREM', processing, id)
    end
end

local taken = 0
for index = 3, #KEYS do
    local list = KEYS[index]
    while room() do
        local payload = redis.pcall('LINDEX', list, -1)
        if failed(payload) then
            -- What has been claimed is handed out; the next claim tells of the error.
            if #answer > 1 then
                break
            end
            return redis.error_reply(payload.err:find('WRONGTYPE') and 'WRONGTYPE the key ' .. list .. ' is not a list' or payload.err)
        end
        if not payload then
            break
        end
        taken = taken + 1
        local id = token .. '-' .. taken
        -- The job leaves its list when it is safe elsewhere: a user who may not write there does not lose it.
        if #payload > largest then
            local key = ARGV[8] .. id
            redis.call('LPUSH', dead, cjson.encode({
                reason = 'the job is larger than ' .. largest .. ' bytes', at = ARGV[9], payload_key = key, payload_bytes = #payload,
            }))
            local kept = redis.pcall('SET', key, payload)
            if failed(kept) then
                redis.call('LPOP', dead)
                return redis.error_reply(kept.err)
            end
            redis.call('LTRIM', list, 0, -2)
        else
            redis.call('HSET', prefix .. id, 'token', token, 'list', list, 'deliveries', 1, 'payload', payload)
            redis.call('ZADD', processing, lease_end, id)
            local left = redis.pcall('LTRIM', list, 0, -2)
            if failed(left) then
                redis.call('ZREM', processing, id)
                redis.call('DEL', prefix .. id)
                return redis.error_reply(left.err)
            end
            answer[#answer + 1] = { id, '1', list, payload }
            bytes = bytes + #payload
        end
    end
end

local first = redis.call('ZRANGE', processing, 0, 0, 'WITHSCORES')
if first[2] then
    answer[1] = math.max(tonumber(first[2]) - now, 0)
end
return answer
