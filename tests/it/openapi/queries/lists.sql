-- title: Lists
-- param: word text = any : any, 'a b', 'ö&=', ''
-- param: other text = null : x, y
-- param: small integer = 1 : 1, 2, 3
-- param: large bigint : 9223372036854775807, -1
-- param: exact number = 0.5 : 0.5, 1, 2.25
-- param: flag boolean = true : true
-- param: day date = 2026-01-01 : 2026-01-01, 2024-02-29
-- param: moment timestamp = 2026-01-01 : 2026-01-01, 2026-01-01T12:00:00.5+02:00
-- param: code uuid = null : 123e4567-e89b-12d3-a456-426614174000
select :word as word, :other as other, :small as small, :large as large, :exact as exact,
    :flag as flag, :day as day, :moment as moment, :code as code
