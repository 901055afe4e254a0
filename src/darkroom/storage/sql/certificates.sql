-- name: certificates.now
-- From when on a certificate that is made now is valid; no machine's clock says it.
SELECT now() AS at;

-- name: certificates.add
-- The instance's certificate and its key, unless there is one.
INSERT INTO certificates (id, chain, private) VALUES (1, %(chain)s, %(private)s)
ON CONFLICT (id) DO NOTHING;

-- name: certificates.get
-- The instance's certificate and its key.
SELECT chain, private FROM certificates WHERE id = 1;
