-- name: moderations.insert
-- What the content policy decided about a request; never the text itself.
INSERT INTO moderations (id, account_id, request_id, kind, mode, verdict, source, rule, field,
                         policy_version, error)
VALUES (%(id)s, %(account_id)s, %(request_id)s, %(kind)s, %(mode)s, %(verdict)s, %(source)s,
        %(rule)s, %(field)s, %(policy_version)s, %(error)s);
