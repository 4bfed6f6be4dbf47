-- title: Each may be left out
-- param: word text = null
-- param: small integer = null
-- param: large bigint = null
-- param: exact number = null
-- param: flag boolean = null
-- param: day date = null
-- param: moment timestamp = null
-- param: code uuid = null
select :word as word, :small as small, :large as large, :exact as exact, :flag as flag,
    :day as day, :moment as moment, :code as code
