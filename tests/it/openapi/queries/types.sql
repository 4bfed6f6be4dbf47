-- title: One of each type
-- param: word text
-- param: small integer
-- param: large bigint
-- param: exact number
-- param: flag boolean
-- param: day date
-- param: moment timestamp
-- param: code uuid
select :word as word, :small as small, :large as large, :exact as exact, :flag as flag,
    :day as day, :moment as moment, :code as code
