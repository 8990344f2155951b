# Windows of any length: ranges, and days in time zones where they have 23 or 25 hours, or no midnight, or two.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(
	source => "timezone = 'UTC'\n",
	destination => "timezone = 'UTC'\n");

sub results { return one_line($destination, 'default', @_); }

sub range_sql
{
	my ($query, $range, @arguments) = @_;
	return copy_sql($query, undef, target => "'tick'", @arguments) =~ s/copy_incremental\(/copy_incremental_range(/r
	  =~ s/, NULL, /, $range, /r;
}

# A row for every five minutes around each change of the clocks; local is what a clock without a zone says.
my @changes = qw(2018-02-18 2018-03-11 2018-11-04);
my $create = 'CREATE TABLE tick (at timestamptz PRIMARY KEY, local timestamp UNIQUE)';
$source->safe_psql('postgres', "$create;" . join '', map {
	"INSERT INTO tick SELECT at, at FROM generate_series(timestamptz '$_' - interval '5 days',
	   timestamptz '$_' + interval '6 days', interval '5 minutes') AS at;"
} @changes);
$destination->safe_psql('postgres', $create);
my $bound = 'SELECT * FROM tick WHERE at >= $1 AND at < $2';
my $placeholders = q[SELECT * FROM tick WHERE at >= '{start}' AND at < '{end}'];
my $day_bounds = q[SELECT * FROM tick WHERE at >= '{day}' AND at < '{next_day}'];

# Ranges.
for my $case (
	[ 'an hour', q[tstzrange('2018-03-11 10:00', '2018-03-11 11:00')], '12|2018-03-11 10:00:00+00' ],
	[ 'five minutes', q|'[2018-03-11 10:00, 2018-03-11 10:05)'|, '1|2018-03-11 10:00:00+00' ],
	[ 'a microsecond', q[tstzrange('2018-03-11 10:00', '2018-03-11 10:00:00.000001')], '1|2018-03-11 10:00:00+00' ],
	[ 'the next one', q[tstzrange('2018-03-11 10:00:00.000001', '2018-03-11 10:00:00.000002')], '0|' ],
	[ 'a week', q[tstzrange('2018-03-08', '2018-03-15')], '2016|2018-03-08 00:00:00+00' ],
	[ 'an hour in another zone', q[tstzrange('2018-03-11 10:00+05:45', '2018-03-11 11:00+05:45')],
		'12|2018-03-11 04:15:00+00' ],
	[ 'everything', q[tstzrange('0001-01-02', '9999-12-31 23:59')], '9507|2018-02-13 00:00:00+00' ],
	[ 'the hour before clocks go back', q[tstzrange('2018-11-04 05:00', '2018-11-04 06:00')], '12|2018-11-04 05:00:00+00' ],
	[ 'the same hour again', q[tstzrange('2018-11-04 06:00', '2018-11-04 07:00')], '12|2018-11-04 06:00:00+00' ])
{
	my ($name, $range, $expected) = @$case;
	my ($rows) = split /\|/, $expected;
	for my $style ([ 'parameters', $bound ], [ 'placeholders', $placeholders ])
	{
		is(results('TRUNCATE tick, pgci_runs', range_sql($style->[1], $range, time_zone => "'America/New_York'", settle => "'off'"),
				'SELECT count(*), min(at) FROM tick'), "$rows $expected", "range: $name, $style->[0]");
	}
}
is(results(q[SELECT data_interval FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1]),
	'["2018-11-04 06:00:00+00","2018-11-04 07:00:00+00")', 'range: the ledger has it as it is');

for my $case (
	[ 'empty', q['empty'], '22023', 'data_interval must not be empty' ],
	[ 'no start', q[tstzrange(NULL, '2018-03-11')], '22023', 'data_interval must have a start and an end' ],
	[ 'no end', q[tstzrange('2018-03-11', NULL)], '22023', 'data_interval must have a start and an end' ],
	[ 'no bounds', q|'(,)'|, '22023', 'data_interval must have a start and an end' ],
	[ 'infinity', q[tstzrange('2018-03-11', 'infinity')], '22023', 'data_interval must have a start and an end' ],
	[ '-infinity', q[tstzrange('-infinity', '2018-03-11')], '22023', 'data_interval must have a start and an end' ],
	[ 'end included', q|tstzrange('2018-03-11', '2018-03-12', '[]')|, '22023', 'must include its start and exclude its end' ],
	[ 'start excluded', q[tstzrange('2018-03-11', '2018-03-12', '()')], '22023', 'must include its start and exclude' ],
	[ 'a moment', q|tstzrange('2018-03-11', '2018-03-11', '[]')|, '22023', 'must include its start and exclude its end' ],
	[ 'before Christ', q[tstzrange('0044-03-15 BC', '2018-03-11')], '22008', 'data_interval must not begin in a year BC' ],
	[ 'NULL', 'NULL', '22004', 'argument "data_interval" must not be null' ])
{
	my ($name, $range, $sqlstate, $message) = @$case;
	my $err = fails_with($destination, range_sql($bound, $range), $sqlstate, qr/$message/, "range: $name is refused");
	like($err, qr/HINT:  Pass/, "range: $name, hint");
}
fails_with($destination, range_sql("SELECT * FROM tick WHERE at::date = '$_'", q[tstzrange('2018-03-11 01:00', '2018-03-12')]),
	'22023', qr/has the placeholder "\Q$_\E" but the window is not a day/, "range: $_ is refused") for '{}', '{day}', '{next_day}';
is($destination->safe_psql('postgres', "BEGIN; TRUNCATE tick, pgci_runs; " . range_sql("SELECT * FROM tick WHERE at::date = '{}'", q[tstzrange('2018-03-11', '2018-03-12')]) . '; ROLLBACK'),
	$destination->safe_psql('postgres', "BEGIN; TRUNCATE tick, pgci_runs; " . copy_sql("SELECT * FROM tick WHERE at::date = '{}'", '2018-03-11') . '; ROLLBACK'), 'range: one that is a day has the placeholders of the day');
fails_with($destination, range_sql('TABLE tick', q[tstzrange('2018-03-11', '2018-03-12')]), '22023',
	qr/query template has no placeholder/, 'range: a template without the window');

# Days: rows of each day of a week, and the bounds of the odd one.
for my $case (
	[ 'America/New_York', '2018-03-11', '288,288,288,276,288,288,288', '05:00', '04:00' ],
	[ 'America/New_York', '2018-11-04', '288,288,288,300,288,288,288', '04:00', '05:00' ],
	[ 'America/Sao_Paulo', '2018-11-04', '288,288,288,276,288,288,288', '03:00', '02:00' ],
	[ 'America/Sao_Paulo', '2018-02-18', '288,288,300,288,288,288,288', '03:00', '03:00' ],
	[ 'America/Havana', '2018-11-04', '288,288,288,300,288,288,288', '04:00', '05:00' ],
	[ 'America/Havana', '2018-03-11', '288,288,288,276,288,288,288', '05:00', '04:00' ],
	[ 'UTC', '2018-03-11', '288,288,288,288,288,288,288', '00:00', '00:00' ],
	[ 'Asia/Kathmandu', '2018-11-04', '288,288,288,288,288,288,288', '18:15', '18:15' ])
{
	my ($zone, $day, $rows, $start, $end) = @$case;
	my $week = "generate_series(date '$day' - 3, date '$day' + 3, interval '1 day') AS day";
	my $expected = $source->safe_psql('postgres', "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM tick AS t
		WHERE (at AT TIME ZONE '$zone')::date BETWEEN date '$day' - 3 AND date '$day' + 3");
	# A row in two days would be in conflict with itself; append is the mode.
	my $copy = sub {
		my $call = copy_sql($_[0], undef, target => "'tick'", time_zone => "'$zone'", on_rerun => "'error'");
		$call =~ s/^SELECT (.*), NULL, /$1, day::date, /s;
		return "SELECT string_agg($call\::text, ',' ORDER BY day) FROM $week";
	};
	for my $style ([ '$1 and $2', $bound ], [ '{start} and {end}', $placeholders ],
		[ '{}', q[SELECT * FROM tick WHERE at::date = date '{}'] ],
		($zone =~ /Havana|Sao/ ? () : [ '{day} and {next_day}', $day_bounds ]))
	{
		is(results('TRUNCATE tick, pgci_runs', $copy->("$style->[1] AND '$zone $day' <> ''"),
				'SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM tick AS t'),
			"$rows $expected", "$zone $day: the days of a week, by $style->[0]");
	}
	my $local = q[SELECT * FROM tick WHERE local >= $1 AND local < $2];
	like(results('TRUNCATE tick, pgci_runs', $copy->("$local AND '$zone $day' <> ''"), 'SELECT count(*) FROM tick'), qr/ 2016$/,
		"$zone $day: the days of a week, of timestamps without zone");
	is(results("SELECT DISTINCT to_char(lower(data_interval), 'HH24:MI'), to_char(upper(data_interval), 'HH24:MI')
		  FROM copy_incremental_runs WHERE data_interval @> timestamptz '$day 12:00 $zone'
		  AND run_id > (SELECT max(run_id) - 21 FROM copy_incremental_runs)"), "$start|$end", "$zone $day: the bounds in the ledger");
}
is(results('TRUNCATE tick, pgci_runs', 'SET timezone = $$Asia/Kathmandu$$', copy_sql($bound, '2018-11-04', target => "'tick'"),
		'SELECT min(at) FROM tick'), '288 2018-11-04 00:00:00+05:45', 'no time_zone: the day is the session\'s');

# The limits of a day.
for my $case ([ 'infinity', 'day must be a finite date' ], [ '-infinity', 'day must be a finite date' ],
	[ '0001-12-31 BC', 'day must not be in a year BC' ], [ '4713-01-01 BC', 'day must not be in a year BC' ],
	[ '294276-12-31', 'day is out of range' ], [ '5874897-12-31', 'day is out of range' ])
{
	fails_with($destination, copy_sql($bound, $case->[0], target => "'tick'"), '22008', qr/$case->[1]/, "the day $case->[0]");
}
for my $day ('0001-01-01', '9999-12-31', '10000-01-01', '294276-12-29')
{
	is(results(map { ('DELETE FROM pgci_runs', copy_sql($bound, $day, target => "'tick'", time_zone => "'$_'", settle => "'off'")) } 'UTC', 'Asia/Kathmandu'), '0 0',
		"the day $day");
}
fails_with($destination, copy_sql($bound, '2018-07-29', time_zone => "'$_'"), '22023',
	qr/time zone "$_" not recognized/, "the time zone $_") for 'Mars/Olympus', '';

no_session_left($source, 'no session is left at the source');
done_testing();
