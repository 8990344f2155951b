# window_column: the query has no day, and the product adds the window's condition in the column's own type.
use strict;
use warnings;

use TwoServers;
use Test::More;

my $new_york = "timezone = 'America/New_York'\n";
my ($source, $destination) = start_servers(source => $new_york . "log_statement = 'all'\n", destination => $new_york);

sub result { return $destination->safe_psql('postgres', join ';', @_); }
sub results { return one_line($destination, 'default', @_); }

# One row an hour, four days of New York. "utc" and "local" are without a time zone; "day" and "dd" are the day in New York.
my $columns = 'id int PRIMARY KEY, at timestamptz NOT NULL, local timestamp, utc timestamp, day date, dd text, epoch bigint, "odd ""Name" timestamptz';
$source->safe_psql('postgres', <<SQL);
	CREATE TABLE ev ($columns);
	INSERT INTO ev SELECT g, at, at, at AT TIME ZONE 'UTC', at::date, at::date::text, extract(epoch FROM at), at
	  FROM (SELECT g, timestamptz '2018-07-28 00:00-04' + g * interval '1 hour' AS at FROM generate_series(0, 95) AS g) AS s;
	CREATE INDEX ON ev (day);
	CREATE TABLE many AS SELECT g AS id, timestamptz '2018-07-20 00:00-04' + g * interval '1 minute' AS at, 'v' || g AS v
	  FROM generate_series(0, 28799) AS g;
	CREATE INDEX ON many (at);
	ANALYZE many, ev;
SQL
on_both('CREATE TABLE odd (id int, at timestamptz)', $source, $destination);
$destination->safe_psql('postgres', "CREATE TABLE ev ($columns); CREATE TABLE many (id int, at timestamptz, v text)");

my $ids = q[SELECT concat_ws(' ', count(*), min(id), max(id)) FROM ev];
my $day = '2018-07-29';
my $expected = '24 24 47';

# Types, methods, modes. Without a target, it is the table that the query reads.
for my $column ('at', 'local', 'day')
{
	for my $method ('cursor', 'copy')
	{
		is(result('TRUNCATE ev', copy_sql('SELECT * FROM ev', $day, window_column => "'$column'", method => "'$method'"), $ids),
			"24\n$expected", "$column, method $method");
	}
}
is(result('TRUNCATE ev', copy_sql('SELECT * FROM ev', $day, window_column => q['odd "Name']), $ids), "24\n$expected",
	'a name that needs quotes');
is(result('TRUNCATE ev', copy_sql('SELECT * FROM ev', $day, window_column => q['at'], time_zone => q['UTC']), $ids), "24\n24 20 43",
	'the day of another time zone');
for my $case ([ skip => 24, 0, 0 ], [ upsert => 24, 0, 72 ], [ replace => 24, 24, 24 ])
{
	my ($mode, $first, $second, $looked_back) = @$case;
	my @call = ('SELECT * FROM ev', $day, window_column => q['at'], mode => "'$mode'");
	is(result('TRUNCATE ev', copy_sql(@call), copy_sql(@call), $ids), "$first\n$second\n$expected", "mode $mode, twice");
	next if $mode eq 'skip';
	is(result('TRUNCATE ev', copy_sql('SELECT * FROM ev', '2018-07-30', window_column => q['at'], mode => "'$mode'", lookback => 2), $ids),
		"72\n72 0 71", "mode $mode, lookback");
}
for my $column ('local', 'day')
{
	for my $method ('cursor', 'copy')
	{
		my @call = ('SELECT * FROM ev', $day, window_column => "'$column'", mode => q['replace'], method => "'$method'", verify => 'true');
		is(result('TRUNCATE ev', q[INSERT INTO ev SELECT g, at, at, NULL, at FROM (VALUES (1000, timestamptz '2018-07-29 23:59:59.999999'),
			(1001, '2018-07-30 00:00')) AS v (g, at)], copy_sql(@call), "$ids WHERE id < 1000", q[SELECT min(id) FROM ev WHERE id >= 1000]),
			"24\n$expected\n1001", "mode replace by $column, method $method: the slice and verify need no replace_where");
	}
}
is(result('TRUNCATE ev', q[SELECT copy_incremental_range('src', 'SELECT * FROM ev', tstzrange('2018-07-29 10:00', '2018-07-29 12:00'),
	window_column => 'local', mode => 'replace')], $ids), "2\n2 34 35", 'a range');
result('TRUNCATE ev', by_batches(copy_sql('SELECT * FROM ev', $day, batch => 7, window_column => q['at'], mode => q['replace'])));
is(result($ids), $expected, 'by batches');
result('TRUNCATE ev', q[SELECT copy_incremental_forget('ev', NULL, NULL)]);
result(define_job('ev', 'SELECT * FROM ev', window_column => "'local'", first_day => "'2018-07-28'"), q[CALL copy_incremental_backfill('ev', '2018-07-28', '2018-07-31', workers => 2)]);
is(result($ids), '96 0 95', 'backfill in workers');
result('TRUNCATE ev');
my $run = result(job_sql('start', 'SELECT * FROM ev', '2018-07-29', window_column => "'day'", mode => "'upsert'"));
is(result("SELECT copy_incremental_wait($run)", $ids), "t\n$expected", 'in the background');

# Texts of the query.
for my $query ('SELECT * FROM ev ORDER BY id DESC', 'SELECT * FROM ev -- all', "SELECT * FROM ev;\n", 'SELECT * FROM ev /* ; */ ; -- x',
	'TABLE ev', 'WITH w AS (SELECT * FROM ev) SELECT * FROM w', "SELECT * FROM ev WHERE dd <> '{{}}' AND dd <> '\$1'",
	'SELECT * FROM ev UNION ALL SELECT * FROM ev WHERE false', 'SELECT id, at FROM ev')
{
	is(result('TRUNCATE ev', copy_sql($query, $day, window_column => q['at'], target => q['ev']), $ids), "24\n$expected", "query: $query");
}
like(results('TRUNCATE ev, pgci_runs', copy_sql('SELECT * FROM ev ORDER BY id LIMIT 30', $day, window_column => q['at']), $ids),
	qr/^6 6 24 29WARNING:  public\.\w+: the query's LIMIT or OFFSET is applied before the window/, 'LIMIT is applied first, and the run says so');

# What the source is asked for, and how it finds it.
my $explained = result(look_sql('explain', 'SELECT * FROM many', '2018-07-29', window_column => q['at']));
like($explained, qr/^query\|SELECT \* FROM \(SELECT \* FROM many\n\) AS q WHERE q\."at" OPERATOR\(pg_catalog\.>=\) \$1::pg_catalog\.timestamptz AND/m,
	'explain: the query with its condition');
like($explained, qr/^query \$1\|2018-07-29 00:00:00-04\nquery \$2\|2018-07-30 00:00:00-04$/m, 'explain: the bounds');
like($explained, qr/Index Scan using many_at_idx.*\n\s+Index Cond: \(\(at >= .* AND \(at < /, 'the source uses the index of the column');
for my $case ([ 'ORDER BY', 'SELECT * FROM many ORDER BY id' ], [ 'a renamed column', 'SELECT id, at AS at, v FROM many AS m' ],
	[ 'a view', 'SELECT * FROM many_view' ])
{
	$source->safe_psql('postgres', 'CREATE OR REPLACE VIEW many_view AS SELECT * FROM many; GRANT SELECT ON many_view TO etl_reader');
	like(result(look_sql('explain', $case->[1], $day, window_column => q['at'], target => q['many'])),
		qr/Index Cond: \(\(/, "the index, with $case->[0]");
}
like(result(look_sql('explain', 'SELECT * FROM many', $day, window_column => q['at'], method => q['copy'])),
	qr/^source statement\|COPY \(SELECT \* FROM \(SELECT \* FROM many\n\) AS q WHERE .*CAST\('2018-07-29 00:00:00-04' AS timestamp with time zone\).*Index Cond/ms,
	'method copy: constants, and the index');
is(result(look_sql('explain', 'SELECT * FROM ev', $day, window_column => q['day'])) =~
	  /^query \$1\|2018-07-29\nquery \$2\|2018-07-30$/m, 1, 'explain: dates');

# Warnings before the load.
like($explained, qr/^warning\|window_column "at" of public\.many may be NULL\. .*WHERE "at" IS NULL$/m, 'explain: a nullable column');
$source->safe_psql('postgres', 'INSERT INTO odd SELECT g, CASE WHEN g % 4 > 0 THEN now() END FROM generate_series(1, 100) AS g; ANALYZE odd');
my $odd = result(look_sql('explain', 'SELECT * FROM odd', $day, window_column => q['at']));
like($odd, qr/^warning\|window_column "at" of public\.odd is NULL in about 25\.0% of the rows/m, 'explain: NULLs');
like($odd, qr/^warning\|no index of public\.odd begins with window_column "at"/m, 'explain: no index');
my $good = result(look_sql('explain', 'SELECT * FROM ev', $day, window_column => q['local']));
like($good, qr/^warning\|window_column "local" has no time zone, and is taken for local time of America\/New_York; pass column_time_zone/m,
	'explain: a column without a time zone');
unlike(result(look_sql('explain', 'SELECT * FROM ev', $day, window_column => q['local'], column_time_zone => q['UTC'])),
	qr/has no time zone/, 'explain: its time zone is given');
unlike(result(look_sql('explain', 'SELECT id, at FROM many UNION ALL SELECT id, at FROM ev', $day, window_column => q['at'],
			target => q['odd'])), qr/no index/, 'explain: of several tables nothing is said about an index');
unlike($explained, qr/no index/, 'explain: the index exists');

# A column without a time zone that holds UTC (the day is that of New York), and the target's column of the same type.
my @utc = (window_column => q['utc'], column_time_zone => q['UTC'], time_zone => q['America/New_York']);
for my $method ('cursor', 'copy')
{
	is(result('TRUNCATE ev', (copy_sql('SELECT * FROM ev', $day, @utc, mode => q['replace'], method => "'$method'")) x 2, $ids),
		"24\n24\n$expected", "UTC without a time zone, method $method");
}
is(result(look_sql('verify', 'SELECT * FROM ev', $day, @utc)), 't|24|24|0|0|0', 'verify knows the rows');
result('DELETE FROM ev WHERE id = 30', q[UPDATE ev SET dd = 'x' WHERE id = 31]);
is(result(look_sql('verify', 'SELECT * FROM ev', $day, @utc)), 'f|24|23|1|0|1', 'verify finds differences');
is(result(look_sql('verify_rows', 'SELECT * FROM ev', $day, @utc) . ' ORDER BY 2'),
	qq[missing|{"id": "30"}\nchanged|{"id": "31"}], 'verify_rows');

# Other columns in the target.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE DOMAIN moment AS timestamptz;
	CREATE TABLE as_domain (id int, at moment);
	CREATE TABLE as_date (id int, at date);
	CREATE TABLE as_text (id int, at text);
	CREATE TABLE renamed (id int, moment timestamptz);
	CREATE TABLE instant (id int, utc timestamptz);
	SQL
my $replace = sub { my ($target, %option) = @_; return copy_sql($option{query} // 'SELECT id, at FROM ev', $day, window_column => q['at'], mode => q['replace'],
		target => "'$target'", %option{grep { $_ ne 'query' } keys %option}); };
for my $target ('as_domain', 'as_date')
{
	is(result(($replace->($target)) x 2, "SELECT count(*) FROM $target"), "24\n24\n24", "mode replace, $target");
}
fails_with($destination, $replace->('as_text'), '42804', qr/column "at" of target public\.as_text is of type text.*Pass replace_where/s,
	'mode replace, a column of another type');
my @renames = (transform => q['SELECT id, at AS moment FROM batch'], query => 'SELECT id, at FROM ev');
fails_with($destination, $replace->('renamed', @renames), '42703', qr/window_column "at" does not exist in target public\.renamed.*Pass replace_where/s,
	'mode replace with transform, a target without the column');
is(result(($replace->('renamed', @renames, replace_where => q['moment >= $1 AND moment < $2'])) x 2, 'SELECT count(*) FROM renamed'),
	"24\n24\n24", 'the same with replace_where');
is(result('TRUNCATE ev', ($replace->('ev', transform => q['SELECT id, at FROM batch WHERE id < 30'])) x 2, $ids), "6\n6\n6 24 29",
	'mode replace with transform');
fails_with($destination, copy_sql('SELECT id, utc FROM ev', $day, @utc, target => q['instant']), '42804',
	qr/window_column "utc" cannot be converted from timestamp without time zone to timestamp with time zone.*column_time_zone is UTC/s,
	'local times of one zone do not become instants of another');

# What is refused.
for my $case (
	[ [ 'SELECT * FROM ev', $day, window_column => q['dd'] ], '42804', qr/window_column "dd" is of type text.*"dd" >= \$1::date::text/s, 'text' ],
	[ [ 'SELECT * FROM ev', $day, window_column => q['epoch'] ], '42804',
		qr/"epoch" is of type bigint.*"epoch" >= extract\(epoch FROM \$1::timestamptz\)::bigint/s, 'an epoch' ],
	[ [ 'SELECT id, at FROM ev', $day, window_column => q['att'] ], '42703', qr/window_column "att" does not exist.*The query returns id, at\./s, 'no such column' ],
	[ [ 'SELECT id, at FROM ev', $day, window_column => q['AT'] ], '42703', qr/window_column "AT" does not exist/, 'a name is not folded' ],
	[ [ 'SELECT id, at, at FROM ev', $day, window_column => q['at'] ], '42701', qr/returns the column "at" more than once/, 'twice' ],
	[ [ 'SELECT * FROM ev WHERE at >= $1 AND at < $2', $day, window_column => q['at'] ], '22023', qr/has the parameter \$2 together with window_column/, 'parameters' ],
	[ [ q[SELECT * FROM ev WHERE at::date = date '{}'], $day, window_column => q['at'] ], '22023', qr/a placeholder for the day together with window_column/, 'a placeholder' ],
	[ [ 'SELECT * FROM ev', undef, window_column => q['at'] ], '22023', qr/window_column has no meaning without a window/, 'no day' ],
	[ [ 'SELECT * FROM ev WHERE at >= $1 AND at < $2', $day, column_time_zone => q['UTC'] ], '22023', qr/column_time_zone has no meaning without/, 'a zone of nothing' ],
	[ [ 'SELECT * FROM ev', $day, window_column => q['at'], column_time_zone => q['Mars'] ], '22023', qr/time zone "Mars" not recognized/, 'an unknown zone' ],
	[ [ 'SELECT * FROM ev', $day, window_column => q['day'], column_time_zone => q['UTC'] ], '22023', qr/does not begin and end at midnight in time zone UTC/, 'a date, and a day of another zone' ],
	[ [ 'SELECT id, at FROM ev; SELECT 1', $day, window_column => q['at'] ], '42601', qr/must be a single/, 'two statements' ],
	[ [ 'SELECT id, at FROM ev) AS q, (SELECT 1', $day, window_column => q['at'] ], '42601', qr/syntax error/, 'a parenthesis that closes ours' ],
  )
{
	my ($call, $sqlstate, $message, $name) = @$case;
	fails_with($destination, copy_sql(@$call, target => q['ev']), $sqlstate, $message, "refused: $name");
}
fails_with($destination, q[SELECT copy_incremental_range('src', 'SELECT * FROM ev', tstzrange('2018-07-29 10:00', '2018-07-29 12:00'), window_column => 'day')],
	'22023', qr/does not begin and end at midnight in time zone America\/New_York.*window_column "day" is a date/s, 'refused: hours of a date');
fails_with($destination, copy_sql('SELECT * FROM ev', $day, mode => q['replace'], target => q['ev']), '22023', qr/needs replace_where or window_column/,
	'mode replace needs one of the two');

# Runs are told apart.
my @append = ('SELECT * FROM ev', $day, on_rerun => q['error']);
result('TRUNCATE ev', q[SELECT copy_incremental_forget('ev', NULL, NULL)], copy_sql(@append, window_column => q['at']));
fails_with($destination, copy_sql(@append, window_column => q['at']), 'PI001', qr/already loaded/, 'the same run again');
fails_with($destination, copy_sql(@append, window_column => q['odd "Name']), 'PI001', qr/already loaded by another query/, 'another column is another query of the same table');

done_testing();
