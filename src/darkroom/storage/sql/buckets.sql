-- name: buckets.fill
-- A full bucket for each id that has none.
INSERT INTO buckets (id, tokens)
SELECT id, tokens FROM unnest(%(ids)s::text[], %(per_minutes)s::float8[]) AS asked (id, tokens)
 ORDER BY id
ON CONFLICT (id) DO NOTHING;

-- name: buckets.take
-- Take up to so many whole tokens out of buckets that hold a minute's worth and fill up steadily.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::text[], %(per_minutes)s::float8[], %(wanted)s::float8[])
                  AS asked (id, per_minute, wanted)
), filled AS MATERIALIZED (
    SELECT b.id, asked.wanted,
           least(asked.per_minute,
                 b.tokens + asked.per_minute / 60
                            * greatest(0, extract(epoch FROM now() - b.filled_at))) AS tokens
      FROM buckets b JOIN asked USING (id) ORDER BY b.id FOR UPDATE OF b
)
UPDATE buckets b SET tokens = filled.tokens - least(filled.wanted, floor(filled.tokens)),
                     filled_at = greatest(b.filled_at, now())
  FROM filled WHERE b.id = filled.id
RETURNING b.id, least(filled.wanted, floor(filled.tokens))::integer AS granted, b.tokens;

-- name: buckets.forget
-- Remove buckets that nobody has used for an hour: they are full again.
WITH gone AS (
    DELETE FROM buckets WHERE filled_at < now() - interval '1 hour' RETURNING 1
)
SELECT count(*) AS total FROM gone;

-- name: buckets.draw
-- Take one token of each bucket, or none of any where one is empty; answers the seconds until there
-- is one in each. A bucket holds `sizes` tokens and fills up in so many seconds.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::text[], %(sizes)s::float8[], %(seconds)s::float8[])
                  AS asked (id, size, seconds)
), filled AS MATERIALIZED (
    SELECT b.id, asked.size, asked.seconds,
           least(asked.size,
                 b.tokens + asked.size / asked.seconds
                            * greatest(0, extract(epoch FROM now() - b.filled_at))) AS tokens
      FROM buckets b JOIN asked USING (id) ORDER BY b.id FOR UPDATE OF b
), drawn AS (
    UPDATE buckets b
       SET filled_at = greatest(b.filled_at, now()),
           tokens = filled.tokens - CASE WHEN EXISTS (SELECT FROM filled WHERE tokens < 1)
                                         THEN 0 ELSE 1 END
      FROM filled WHERE b.id = filled.id
)
SELECT coalesce(max(ceil((1 - tokens) * seconds / size)) FILTER (WHERE tokens < 1), 0)::integer
       AS seconds
  FROM filled;
