# The bounds of the window in a query and in replace_where: a text that has only one end, or only one day of a longer window, is
# refused before anything connects. A text that could be right never is.
use strict;
use warnings;

use TwoServers;
use Test::More;

my $new_york = "timezone = 'America/New_York'\n";
my ($source, $destination) = start_servers(source => $new_york, destination => $new_york);

# One row an hour, four days of New York.
my $columns = 'id int PRIMARY KEY, at timestamptz NOT NULL, local timestamp, day date, dd text, epoch bigint, ms bigint';
on_both("CREATE TABLE ev ($columns); CREATE TABLE label (day date, n bigint, id int)", $source, $destination);
$source->safe_psql('postgres', <<~'SQL');
	INSERT INTO ev SELECT g, at, at, at::date, at::date::text, extract(epoch FROM at), extract(epoch FROM at) * 1000
	  FROM (SELECT g, timestamptz '2018-07-28 00:00-04' + g * interval '1 hour' AS at FROM generate_series(0, 95) AS g) AS s;
	CREATE TABLE other AS SELECT * FROM ev;
	CREATE FUNCTION hours_of(timestamptz, timestamptz) RETURNS SETOF ev LANGUAGE sql STABLE AS 'SELECT * FROM ev WHERE at >= $1 AND at < $2';
	CREATE FUNCTION is_in(timestamptz, date) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1::date = $2';
	CREATE VIEW "ev_2018-07-29" AS SELECT * FROM ev WHERE day = '2018-07-29';
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO etl_reader;
	SQL

# The result of statements, and of those that fail the SQLSTATE, message and hint.
sub results { return one_line($destination, 'default', @_); }
my $ids = q[SELECT concat_ws(' ', count(*), min(id), max(id)) FROM ev];
# No server of this name exists: what is refused is refused before anything connects.
sub refused
{
	my ($query, %argument) = @_;
	return results(copy_sql($query, '2018-07-29', src_conninfo => q['nowhere'], target => q['ev'], %argument));
}

# Forms that select the day.
my @right = (
	'at >= $1 AND at < $2', '$1 <= at AND $2 > at', 'at >= $1 AND at < $1::date + 1', q[at >= $1::date AND at < $1::date + interval '1 day'],
	q[at >= '{start}' AND at < '{end}'], q[at >= '{day}' AND at < '{next_day}'], q[at >= '{}' AND at < date '{}' + 1],
	q[at >= date '{day}' AND at < date '{day}' + interval '24 hours'], q[at >= '{} 00:00' AND at < '{next_day} 00:00'],
	q[at >= '{day} 00:00:00' AND at <= '{day} 23:59:59.999999'], 'NOT (at < $1 OR at >= $2)', 'NOT at < $1 AND NOT at >= $2',
	q[at::date = $1], q[at::date = date '{}'], 'day = $1', q[day = '{day}'], 'day IN ($1)', 'day BETWEEN $1 AND $1',
	q[day BETWEEN '{day}' AND '{day}'], q[day >= '{}' AND day <= '{}'], q[day > date '{}' - 1 AND day <= '{}'], 'day = ANY (ARRAY[$1::date])',
	q[date_trunc('day', at) = $1], 'date(at) = $1', 'at <@ tstzrange($1, $2)', q{at <@ '[{start},{end})'::tstzrange},
	q[(at, at) OVERLAPS ($1::timestamptz, $2)], 'is_in(at, $1)', q[is_in(at, '{}')], q[dd = '{}'], q[dd = $1::date::text], q[dd >= '{}' AND dd < '{next_day}'],
	q[to_char(at, 'YYYY-MM-DD') = '{}'], q[to_char(at, 'YYYYMMDD') = to_char($1::date, 'YYYYMMDD')], q[at::text LIKE '{}%'],
	'epoch >= extract(epoch FROM $1::timestamptz)::bigint AND epoch < extract(epoch FROM $2::timestamptz)::bigint',
	'ms >= extract(epoch FROM $1::timestamptz) * 1000 AND ms < extract(epoch FROM $2::timestamptz) * 1000',
	'to_timestamp(epoch) >= $1 AND to_timestamp(epoch) < $2', q[at - $1::timestamptz >= '0' AND at - $1::timestamptz < '1 day'],
	q[at - timestamptz '{start}' >= '0' AND at - timestamptz '{start}' < '1 day'], q[local AT TIME ZONE 'America/New_York' >= $1 AND at < $2],
	'CASE WHEN at >= $1 THEN at < $2 ELSE false END', 'coalesce(at >= $1 AND at < $2, false)', '(at >= $1) IS TRUE AND (at < $2) IS TRUE',
	q[at >= $1 AND $2::date IS NOT NULL AND day = '2018-07-29'], 'ROW(at, id) >= ROW($1, 0) AND at < $2', 'at >= $1 AND id IN (SELECT id FROM other WHERE at < $2)',
	'id IN (SELECT id FROM other WHERE at >= $1 AND at < $2)', 'at < $2 AND NOT EXISTS (SELECT FROM other AS o WHERE o.id = ev.id AND o.at < $1)',
	'at < $2 AND id NOT IN (SELECT id FROM other WHERE at < $1)', 'at >= greatest($1, $1::date) AND at < $2', 'at BETWEEN $1 AND $2::timestamptz - interval \'1 microsecond\'',
	q[day = $1 OR (day IS NULL AND at::date = $1)], 'at >= $1 AND at < least($2, now())', q[(at >= '{}' AND at < '{next_day}') OR (at IS NULL AND day = '{}')]);
my @right_queries = (
	map({ "SELECT * FROM ev WHERE $_" } @right),
	'SELECT * FROM (SELECT * FROM ev WHERE at >= $1) AS s WHERE at < $2',
	'WITH w AS (SELECT * FROM ev WHERE at >= $1) SELECT * FROM w WHERE at < $2',
	q[WITH b AS (SELECT $1::timestamptz AS a, $2::timestamptz AS z) SELECT ev.* FROM ev, b WHERE at >= a AND at < z],
	q[WITH old AS (SELECT id FROM ev WHERE at < '{}') SELECT ev.* FROM ev LEFT JOIN old USING (id) WHERE at < '{next_day}' AND old.id IS NULL],
	'SELECT ev.* FROM ev LEFT JOIN other AS o ON o.id = ev.id AND o.at < $1 WHERE ev.at < $2 AND o.id IS NULL',
	'SELECT ev.* FROM ev JOIN other AS o ON o.id = ev.id AND o.at >= $1 AND o.at < $2',
	'SELECT ev.* FROM ev JOIN other AS o ON o.id = ev.id AND o.at >= $1 WHERE ev.at < $2',
	'SELECT ev.* FROM ev JOIN other AS o USING (id) WHERE o.at >= $1 AND o.at < $2 AND ev.at >= $1 AND ev.at < $2',
	'SELECT * FROM ev WHERE at < $2 EXCEPT SELECT * FROM ev WHERE at < $1',
	'SELECT * FROM ev WHERE at >= $1 INTERSECT SELECT * FROM ev WHERE at < $2',
	'SELECT * FROM ev WHERE at >= $1 AND at < $2 AND id < 30 UNION ALL SELECT * FROM ev WHERE at >= $1 AND at < $2 AND id >= 30',
	'SELECT * FROM (SELECT * FROM ev WHERE at >= $1 UNION SELECT * FROM other WHERE at >= $1) AS u WHERE at < $2',
	'WITH RECURSIVE r AS (SELECT * FROM ev WHERE at = $1 UNION ALL SELECT ev.* FROM ev JOIN r ON ev.id = r.id + 1 WHERE ev.at < $2) SELECT * FROM r',
	'SELECT * FROM hours_of($1, $2)', q[SELECT * FROM hours_of('{start}', '{end}')], q[SELECT * FROM "ev_{day}"], q[SELECT * FROM "ev_{day}" WHERE at >= '{}'],
	q[SELECT ev.* FROM ev, generate_series($1::timestamptz, $2::timestamptz - interval '1 hour', '1 hour') AS h WHERE ev.at = h],
	q[SELECT max(id) AS id, max(at) AS at FROM ev GROUP BY day, id HAVING min(at) >= $1 AND min(at) < $2]);
for my $query (@right_queries)
{
	like(results('TRUNCATE ev, pgci_runs', copy_sql($query, '2018-07-29', target => q['ev']), $ids), qr/^24 24 24 47( WARNING:  (?!window).*)?$/, "right: $query");
}

# Forms that are not judged.
for my $query ('SELECT * FROM ev WHERE $1::date < $2::date', 'SELECT * FROM ev WHERE at >= $1 AND now() > $2', q[SELECT '{}'::date AS day, id FROM ev WHERE at < '{next_day}'],
	'SELECT $1::date AS day, count(*) AS n FROM ev WHERE at < $2', 'SELECT * FROM ev WHERE at >= $1 OR at < $2',
	q[SELECT (SELECT count(*) FROM ev WHERE at < '{next_day}') - (SELECT count(*) FROM ev WHERE at < '{}') AS n],
	'SELECT b.n - a.n AS n FROM (SELECT count(*) AS n FROM ev WHERE at < $1::date) AS a, (SELECT count(*) AS n FROM ev WHERE at < $2::date) AS b',
	'SELECT count(*) FILTER (WHERE at >= $1) AS n FROM ev', q[SELECT * FROM ev WHERE at >= '{}' -- and {next_day}])
{
	like(results('TRUNCATE ev, pgci_runs', copy_sql($query, '2018-07-29', target => $query =~ /\*(?!\))| id / && $query !~ /^SELECT .* AS (n|day)/ ? q['ev'] : q['label'])),
		qr/^\d+( WARNING:  (?!window).*)?$/, "not judged: $query");
}

# Half of the window.
for my $case (
	[ lower => 'at >= $1' ], [ lower => 'at > $1' ], [ lower => '$1 <= at' ], [ lower => q[at >= '{}'] ],
	[ lower => q[at >= '{day}' AND id > 0] ], [ upper => q[at < '{next_day}'] ], [ upper => q[at <= '{end}'] ], [ lower => q[at >= date '{}'] ],
	[ lower => q[at >= timestamptz '{start}' AND at < now()] ], [ lower => q[at >= '{}' AND at < '2030-01-01'] ], [ lower => q[NOT at < $1] ],
	[ lower => q[at >= $1::timestamptz - interval '1 hour'] ], [ lower => q[at >= $1 OR local >= $1] ], [ lower => q[at >= '{day} 00:00:00'] ],
	[ lower => 'at >= $1 AND at >= $2' ], [ lower => 'epoch >= extract(epoch FROM $1::timestamptz)' ], [ lower => 'at >= $1 AND local > $1::timestamp' ],
	[ lower => 'EXISTS (SELECT FROM other AS o WHERE o.id = ev.id AND o.at >= $1)' ], [ upper => 'at < $1', ],
	[ lower => 'id IN (SELECT id FROM other WHERE at >= $1)' ])
{
	my ($bound, $condition) = @$case;
	my ($style) = $condition =~ /\$1/ ? 'at >= $1 AND at < $2' : $condition =~ /start|end\}/ ? q[at >= '{start}' AND at < '{end}'] : q[at >= '{day}' AND at < '{next_day}'];
	$style =~ s/\bat\b/"?\\w+"?/g;
	$style =~ s/([\${}])/\\$1/g;
	like(refused("SELECT * FROM ev WHERE $condition"),
		qr/^ERROR:  query template has an? $bound bound but no \w+ bound DETAIL:  Each run would also read .* HINT:  Write both ends, such as $style, or use window_column/,
		"half: $condition");
	like(refused('SELECT * FROM ev WHERE at >= $1 AND at < $2', mode => q['replace'], replace_where => "\$w\$$condition\$w\$"),
		qr/^ERROR:  replace_where has an? $bound bound but no \w+ bound DETAIL:  Each run would also delete/, "half, in replace_where: $condition");
}
for my $query (q[SELECT * FROM (SELECT * FROM ev WHERE at >= '{}') AS s], 'WITH w AS (SELECT * FROM ev WHERE at >= $1) SELECT * FROM w',
	'SELECT ev.* FROM ev JOIN other AS o ON o.id = ev.id AND o.at >= $1', 'SELECT ev.* FROM ev JOIN other AS o USING (id) WHERE ev.at >= $1 AND o.at >= $1',
	'SELECT * FROM ev WHERE at >= $1 AND at < $2 UNION ALL SELECT * FROM other WHERE at >= $1', 'SELECT * FROM ev WHERE at >= $1 ORDER BY at LIMIT 10',
	'SELECT id FROM ev GROUP BY id HAVING max(at) >= $1')
{
	like(refused($query), qr/^ERROR:  query template has a lower bound but no upper/, "half: $query");
}
like(results(define_job('half', q[SELECT * FROM ev WHERE at >= '{}'], src_conninfo => q['src'], target => q['ev'])), qr/^ERROR:  query template has a lower bound/, 'a job');

# A placeholder that is in no string: 2018-07-29 would be 1982.
for my $condition ('epoch >= {} AND epoch < {next_day}', 'id = {}', q[at >= '{day}' AND id < {day}], 'at >= {start} AND at < {end}', 'ev_{day}.id = 1', 'day = date {}')
{
	my $refused = qr/has a placeholder outside of quotes DETAIL:  .* HINT:  Write '\{\}' or date '\{\}'\./;
	like(refused("SELECT * FROM ev WHERE $condition"), qr/^ERROR:  query template $refused/, "outside of quotes: $condition");
	like(refused('SELECT * FROM ev WHERE at >= $1 AND at < $2', mode => q['replace'], replace_where => "\$w\$$condition\$w\$"), qr/^ERROR:  replace_where $refused/, "outside of quotes, in replace_where: $condition");
}
for my $condition (q[day = '{}' -- {}], q[day = $d${}$d$], q[day = E'{}' /* {} */], q["ev_{day}".day = '{}'])
{
	like(refused("SELECT * FROM ev WHERE $condition"), qr/^ERROR:  src_conninfo is neither/, "in quotes: $condition");
}

# A window that is not a day.
for my $case ([ 'at::date = $1' ], [ 'day = $1' ], [ 'day IN ($1)' ], [ q[day = '{start}'] ], [ 'day BETWEEN $1 AND $1' ], [ 'date(at) = $1' ], [ q[date_trunc('day', at) = $1::timestamptz] ],
	[ 'at >= $1 AND at < $1::date + 1' ], [ q[at::date = date '{start}'] ])
{
	my ($condition) = @$case;
	for my $range (q['2018-07-29 10:00', '2018-07-29 11:00'], q['2018-07-28', '2018-07-30'])
	{
		like(results("SELECT copy_incremental_range('nowhere', \$q\$SELECT * FROM ev WHERE $condition\$q\$, tstzrange($range), target => 'ev')"),
			qr/^ERROR:  query template selects one day, but the window is not a day DETAIL:  .*\[2018-07-2[89] .* HINT:  Write both ends, such as/, "a range: $condition");
	}
	like(results(copy_sql('SELECT * FROM ev WHERE at >= $1 AND at < $2', '2018-07-29', src_conninfo => q['nowhere'], mode => q['replace'], lookback => 2, replace_where => "\$w\$$condition\$w\$")),
		qr/^ERROR:  replace_where selects one day, but the window is not a day/, "lookback: $condition");
}
for my $size ('1 month', '7 days', '1 hour')
{
	like(results(define_job('long', 'SELECT * FROM ev WHERE day = $1', window_size => "'$size'", first_day => q['2018-07-01'], target => q['ev'])),
		qr/^ERROR:  query template selects one day/, "a job with windows of $size");
}
is(results(define_job('days', 'SELECT * FROM ev WHERE day = $1', first_day => q['2018-07-28'], target => q['ev'], mode => q['upsert']), 'TRUNCATE ev, pgci_runs', q[SELECT copy_incremental_run('days', '2018-07-29')]),
	'24', 'a job with windows of a day');
like(results(q[SELECT copy_incremental_run_range('days', tstzrange('2018-07-28', '2018-07-30'))]), qr/^ERROR:  query template selects one day/, 'two days of it');
is(results('TRUNCATE ev, pgci_runs', q[SELECT copy_incremental_range('src', 'SELECT * FROM ev WHERE at::date = $1', tstzrange('2018-07-28', '2018-07-29'), target => 'ev')]), '24', 'a range that is a day');
for my $condition (q[date_trunc('hour', at) = $1], 'at >= $1 AND at < $2', q[at >= $1 AND at < $1::timestamptz + interval '1 hour'], 'at <@ tstzrange($1, $2)', q[at >= '{start}' AND at < '{end}'])
{
	is(results('TRUNCATE ev, pgci_runs', "SELECT copy_incremental_range('src', \$q\$SELECT * FROM ev WHERE $condition\$q\$, tstzrange('2018-07-29 10:00', '2018-07-29 11:00'), target => 'ev')"),
		'1', "an hour: $condition");
}

done_testing();
