-- name: signing_keys.add
-- The server's pair of keys, unless there is one.
INSERT INTO signing_keys (id, private) VALUES (1, %(private)s) ON CONFLICT (id) DO NOTHING;

-- name: signing_keys.get
-- The server's pair of keys.
SELECT private FROM signing_keys WHERE id = 1;
