-- name: spend_limits.read
-- The spend limits of these keys, and what is used of each in its period; one that has no limit any
-- more has no row. To be read while the keys' accounts are locked.
SELECT k.id AS api_key_id, k.origin_id, k.name, k.spend_mill_max, k.spend_period,
       (SELECT coalesce(sum(s.mill), 0)::bigint FROM key_spending s
         WHERE s.origin_id = k.origin_id
           AND (k.spend_period = 'total'
                OR s.month = date_trunc('month', now() AT TIME ZONE 'UTC')::date)) AS spent_mill
  FROM api_keys k
 WHERE k.id = ANY(%(api_key_ids)s::text[]) AND k.spend_mill_max IS NOT NULL;

-- name: spend_limits.add
-- Count what new holds take from spend limits, in the month in which they are made.
INSERT INTO key_spending (origin_id, month, mill)
SELECT origin_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, mill
  FROM unnest(%(origin_ids)s::text[], %(mills)s::bigint[]) AS spent (origin_id, mill)
 ORDER BY origin_id
ON CONFLICT (origin_id, month) DO UPDATE SET mill = key_spending.mill + excluded.mill;

-- name: spend_limits.audit
-- Months of keys that have not spent what their holds took: open in full, settled what was charged.
SELECT coalesce(s.origin_id, h.origin_id) AS subject,
       format('%%s: spent %%s, holds say %%s', coalesce(s.month, h.month), s.mill, h.mill) AS detail
  FROM key_spending s
  FULL JOIN (
      SELECT h.origin_id, date_trunc('month', h.created_at AT TIME ZONE 'UTC')::date AS month,
             sum(CASE h.status WHEN 'open' THEN h.mill WHEN 'settled' THEN e.system_mill
                               ELSE 0 END) AS mill
        FROM holds h LEFT JOIN ledger_entries e ON e.hold_id = h.id AND e.type = 'settle'
       WHERE h.origin_id IS NOT NULL GROUP BY 1, 2) h
    ON h.origin_id = s.origin_id AND h.month = s.month
 WHERE s.mill IS DISTINCT FROM h.mill;
