-- title: Ranges
-- param: small integer = 10 : 1..100
-- param: large bigint = 0 : -9223372036854775808..9007199254740993
-- param: exact number = 0.5 : -1.25..1e6
-- param: day date = 2026-02-28 : 2025-03-15..2026-12-31
-- param: moment timestamp = 2026-01-01T12:00 : 2025-12-31T22:00..2026-06-30T10:59:59.5
select :small as small, :large as large, :exact as exact, :day as day, :moment as moment
