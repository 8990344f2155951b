# What the window is compared with: $1 and $2, {start} and {end} are points in time. A text or a number is refused before the first
# row, in the query by the source's analysis and in replace_where by that of the target; a date or a timestamp without time zone gets
# local time, and no row is in two windows when clocks go back.
use strict;
use warnings;

use TwoServers;
use Test::More;

my $new_york = "timezone = 'America/New_York'\n";
my ($source, $destination) = start_servers(source => $new_york, destination => $new_york);

sub results { return one_line($destination, 'verbose', @_); }

# One row an hour, four days of New York.
my $columns = 'id int PRIMARY KEY, at timestamptz, day date, dd text, vc varchar(20), bc char(10), nm name, epoch bigint, ms numeric, x float8, doc jsonb';
$source->safe_psql('postgres', 'CREATE EXTENSION citext; CREATE DOMAIN day_text AS text; CREATE DOMAIN moment AS timestamptz');
on_both("CREATE TABLE ev ($columns)", $source, $destination);
$source->safe_psql('postgres', <<~'SQL');
	INSERT INTO ev SELECT g, at, at, at::date::text, at::date::text, at::date::text, at::date::text, e, e * 1000, e, jsonb_build_object('day', at::date)
	  FROM (SELECT g, at, extract(epoch FROM at) AS e FROM (SELECT g, timestamptz '2018-07-28 00:00-04' + g * interval '1 hour' AS at
	    FROM generate_series(0, 95) AS g) AS s) AS s;
	ALTER TABLE ev ADD ct citext, ADD dt day_text, ADD mo moment;
	UPDATE ev SET ct = dd, dt = dd, mo = at;
	SQL
my $ids = q[SELECT concat_ws(' ', count(*), min(id), max(id)) FROM ev];
sub load { my ($condition, %argument) = @_; return results('TRUNCATE ev, pgci_runs', copy_sql("SELECT id, dd FROM ev WHERE $condition", '2018-07-29', target => q['ev'], %argument), $ids); }

# Types of parameters that would be compared as text, or that no window is a value of.
my $text = qr/DETAIL:  The window would be compared as text, not as time\. HINT:  Write \$1::date::text for dates in ISO form, or '\{day\}'/;
for my $case ([ dd => 'text' ], [ vc => 'text' ], [ bc => 'bpchar' ], [ nm => 'name' ], [ ct => 'citext' ], [ dt => 'text' ])
{
	my ($column, $type) = @$case;
	for my $condition ("$column >= \$1 AND $column < \$2", "$column = \$1", "$column IN (\$1)", "$column BETWEEN \$1 AND \$1")
	{
		like(load($condition), qr/^ERROR:  42804: parameter \$1 of the query is of type (\w+\.)?$type $text/, "a text: $condition");
	}
}
for my $condition (q[doc->>'day' = $1], 'to_char(at, \'YYYY-MM-DD\') = $1', 'at::date::text = $1', 'at >= $1::text::date AND at < $2')
{
	like(load($condition), qr/^ERROR:  42804: parameter \$1 of the query is of type text $text/, "a text: $condition");
}
like(load('day = $1 AND dd < $2'), qr/^ERROR:  42804: parameter \$2 of the query is of type text $text/, 'the second parameter');
for my $column ('epoch', 'ms', 'x')
{
	my $cast = $column eq 'epoch' ? 'bigint' : 'numeric';
	like(load("$column >= \$1 AND $column < \$2"),
		qr/^ERROR:  42804: parameter \$1 of the query is of type .* HINT:  Write "?$column"? >= extract\(epoch FROM \$1::timestamptz\)::$cast AND .* multiply by 1000 for milliseconds\./,
		"a number: $column");
}
for my $type ('time without time zone', 'time with time zone')
{
	my $time = $type =~ /out/ ? 'time' : 'timetz';
	like(load("at::$time >= \$1 AND at < \$2"), qr/^ERROR:  42804: parameter \$1 of the query is of type $type DETAIL:  The window is a range of time\. HINT:  Write \$1::timestamptz or \$1::date/, "a time of day: $time");
	like(load('day = $1', mode => q['replace'], replace_where => "'at::$time >= \$1 AND at < \$2'"), qr/^ERROR:  42804: parameter \$1 of replace_where is of type $type DETAIL: .*HINT:  Write \$1::timestamptz/, "a time of day in replace_where: $time");
}
like(load('age(at) = $1 AND at < $2'), qr/^ERROR:  42804: parameter \$1 of the query is of type interval .*HINT:  Write \$1::timestamptz or \$1::date/, 'an interval');

# Errors of the source's analysis.
for my $case ([ q[at >= $1 - interval '1 hour' AND at < $2], '42883' ], [ 'at >= $1 AND dd < $1', '42883' ], [ 'at >= date_trunc($1) AND at < $2', '42883' ],
	[ '$1 IS NOT NULL', '42P18' ], [ q[concat($1, '') = dd], '42P18' ], [ 'at >= $1::bytea AND at < $2', '42883' ])
{
	my ($condition, $sqlstate) = @$case;
	like(load($condition), qr/^ERROR:  $sqlstate: .* HINT: .*The source infers the types of \$1 and \$2 .* Write \$1::timestamptz or \$1::date to give one\./, "the source: $condition");
}
unlike(load('no_such_column = 1 AND day = $1'), qr/infers/, 'another error of the source');

# Each run loads the same window by another query, which is a WARNING, as are the columns that the query leaves out.
sub without_warning { my ($said) = @_; return $said =~ s/WARNING:.*//r; }

# What the hints say, and types that have a day.
for my $condition (q[dd >= $1::date::text AND dd < $2::date::text], q[dd >= '{day}' AND dd < '{next_day}'], q[dd = '{}'], 'day >= $1 AND day < $2', 'mo >= $1 AND mo < $2',
	'epoch >= extract(epoch FROM $1::timestamptz)::bigint AND epoch < extract(epoch FROM $2::timestamptz)::bigint',
	'ms >= extract(epoch FROM $1::timestamptz) * 1000 AND ms < extract(epoch FROM $2::timestamptz) * 1000',
	q[at >= $1::timestamptz - interval '1 hour' AND at < $2::timestamptz - interval '1 hour' OR at = $2], q[doc->>'day' = '{}'], q[doc->>'day' = $1::date::text],
	q[mo >= $1::moment AND mo < $2::moment])
{
	like(without_warning(load($condition)), qr/^(24 24 24 47|25 25 23 48)$/, "a moment: $condition");
}
for my $column ('dd', 'ct', 'dt')
{
	like(results(copy_sql("SELECT * FROM ev WHERE $column >= '{start}' AND $column < '{end}'", '2018-07-29')),
		qr/^ERROR:  42804: column "$column" of public\.ev is of a text type DETAIL: .* HINT:  Write '\{day\}' and '\{next_day\}'/, "{start} and a text: $column");
}
is(without_warning(load(q[at >= '{start}' AND at < '{end}'])), '24 24 24 47', '{start} and a timestamptz');
is(without_warning(load(q[id IN (SELECT id FROM (SELECT id, at AS dd FROM ev) AS s WHERE dd >= '{start}' AND dd < '{end}')])), '24 24 24 47',
	'{start} and a column of a subquery, which has the name of another');

# replace_where.
my @replace = (mode => q['replace']);
for my $case ([ 'dd >= $1 AND dd < $2', 'text', $text ], [ 'dd = $1', 'text', $text ], [ 'vc = $1', 'text', $text ], [ 'bc = $1', 'bpchar', $text ], [ q[doc->>'day' = $1], 'text', $text ],
	[ 'day < $2 AND dd >= $1', 'text', $text ], [ 'epoch >= $1 AND epoch < $2', 'bigint', qr/DETAIL:  .* HINT:  Write "?epoch"? >= extract/ ],
	[ 'EXISTS (SELECT WHERE dd = $1)', 'text', $text ])
{
	my ($slice, $type, $rest) = @$case;
	for my $method ('cursor', 'copy')
	{
		next if $slice =~ /EXISTS/ && $method ne 'cursor';
		like(load('day = $1', @replace, replace_where => "\$w\$$slice\$w\$", method => "'$method'"),
			qr/^ERROR:  42804: parameter \$1 of replace_where is of type $type $rest/, "replace_where, method $method: $slice");
	}
}
for my $slice (q[dd = '{}'], 'dd = $1::date::text', q[dd >= '{day}' AND dd < '{next_day}'])
{
	is(without_warning(load('day = $1', @replace, replace_where => "\$w\$$slice\$w\$")), '24 24 24 47', "replace_where: $slice");
}

# Clocks go back at 02:00 of November 4, to 01:00. "local" and "day" are what the clock shows.
on_both('CREATE TABLE wall (id int PRIMARY KEY, at timestamptz, local timestamp, day date)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO wall SELECT g, at, at, at FROM (SELECT g, timestamptz '2018-11-03 20:00-04' + g * interval '10 minutes' AS at
	FROM generate_series(0, 71) AS g) AS s]);
my $loaded = q[SELECT concat_ws(' ', count(*), count(DISTINCT id)) FROM wall];
sub ranges
{
	my ($condition, $minutes) = @_;
	return results('TRUNCATE wall', q[SELECT count(copy_incremental_forget('wall', NULL, NULL))],
		"SELECT count(copy_incremental_range('src', \$q\$SELECT * FROM wall WHERE $condition\$q\$, tstzrange(at, at + interval '$minutes minutes'), settle => 'off'))
		   FROM generate_series(timestamptz '2018-11-03 20:00-04', timestamptz '2018-11-04 06:50-05', interval '$minutes minutes') AS at", $loaded);
}
for my $minutes (30, 15)
{
	for my $condition ('local >= $1 AND local < $2', 'local >= $1::timestamp AND local < $2::timestamp', 'at >= $1 AND at < $2', q[at >= '{start}' AND at < '{end}'])
	{
		like(ranges($condition, $minutes), qr/^1 \d+ 72 72$/, "ranges of $minutes minutes load each row once: $condition");
	}
}
sub range { my ($condition, $range) = @_; return results('TRUNCATE wall, pgci_runs', "SELECT copy_incremental_range('src', \$q\$SELECT * FROM wall WHERE $condition\$q\$, tstzrange($range), settle => 'off', on_rerun => 'run')") =~ s/WARNING:.*//r; }
for my $range (q['2018-11-04 01:00-04', '2018-11-04 03:00'], q['2018-11-03', '2018-11-04 01:30-05'])
{
	for my $condition (q[local >= '{start}' AND local < '{end}'], q[local >= timestamp '{start}' AND local < '{end}'::timestamp])
	{
		like(range($condition, $range), qr/^ERROR:  22008: window .* begins or ends at a local time that occurs twice in time zone America\/New_York .* HINT:  Use \$1 and \$2, or window_column/, "$condition: $range");
	}
}
is(range(q[local >= '{start}' AND local < '{end}'], q['2018-11-04', '2018-11-04 03:00']), '24', 'bounds that occur once');
is(range(q[local >= '{start}' AND local < '{end}'], q['2018-11-04', '2018-11-05']), '48', 'the whole day');

# A date needs whole days.
for my $condition ('day >= $1 AND day < $2', q[day >= '{start}' AND day < '{end}'], q[at >= '{start}'::date AND at < '{end}'::date], 'at >= $1::date AND at < $2::date')
{
	like(range($condition, q['2018-11-03 20:00', '2018-11-04 02:00']), qr/^ERROR:  22023: window .* does not begin and end at midnight in time zone America\/New_York .* HINT:  Pass a day/, "part of a day: $condition");
	is(range($condition, q['2018-11-03', '2018-11-05']), '72', "days: $condition");
}
$destination->safe_psql('postgres', 'TRUNCATE wall');
like(results(q[SELECT copy_incremental_range('src', 'SELECT * FROM wall WHERE at >= $1 AND at < $2', tstzrange('2018-11-04 10:00', '2018-11-04 11:00'), mode => 'replace', replace_where => 'day >= $1 AND day < $2')]),
	qr/^ERROR:  22023: window .* does not begin and end at midnight .* DETAIL:  parameter \$1 of replace_where is a date/, 'replace_where: a part of a day');
like(results(q[SELECT copy_incremental_range('src', 'SELECT * FROM wall WHERE local >= $1 AND local < $2', tstzrange('2018-11-04 01:00-05', '2018-11-04 01:30-05'), mode => 'replace', replace_where => 'local >= $1 AND local < $2', settle => 'off')]),
	qr/^\d$/, 'replace_where: the local time of the window');

# The same local times of two time zones are the same rows.
my $hour = sub { my ($zone, $start) = @_; return qq[SELECT copy_incremental_range('src', 'SELECT * FROM wall WHERE local >= \$1 AND local < \$2', tstzrange('$start', timestamptz '$start' + interval '1 hour'), time_zone => '$zone')] };
like(results('TRUNCATE wall, pgci_runs', $hour->('UTC', '2018-11-04 00:00+00'), $hour->('America/New_York', '2018-11-04 00:00-04'), $loaded),
	qr/^6 ?ERROR:  22023: the query's parameters were read as local time of UTC by earlier runs, not of America\/New_York .* HINT:  Pass time_zone => 'UTC'/, 'an hour of another time zone');
$destination->safe_psql('postgres', 'CREATE TABLE walls (LIKE wall, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE TABLE all_walls PARTITION OF walls DEFAULT');
like(results('TRUNCATE pgci_runs', map { my ($zone, $start, $into) = @$_; $hour->($zone, $start) =~ s/\)$/, target => '$into')/r } [ 'UTC', '2018-11-04 00:00+00', 'walls' ], [ 'America/New_York', '2018-11-04 00:00-04', 'all_walls' ]),
	qr/^6 ?ERROR:  22023: the query's parameters were read as local time of UTC by earlier runs/, 'an hour of another time zone, into a partition');

done_testing();
