# window_column without a time zone on the days on which clocks change: each row is in one window, and its window is that of the
# moment to which AT TIME ZONE converts it.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\n", destination => "timezone = 'UTC'\n");

sub result { return $destination->safe_psql('postgres', join ';', @_); }

on_both('CREATE TABLE wall (id int PRIMARY KEY, local timestamp, day date)', $source, $destination);
my $loaded = q[SELECT concat_ws(' ', count(*), count(DISTINCT id), md5(string_agg(id::text, ',' ORDER BY id))) FROM wall];

# Zone, day, hours of the day: New York, then midnight that happens twice, midnight that does not exist, half an hour.
for my $case (
	[ 'America/New_York', '2018-03-11', 23 ], [ 'America/New_York', '2018-11-04', 25 ], [ 'America/Havana', '2018-11-04', 25 ],
	[ 'America/Sao_Paulo', '2018-02-17', 25 ], [ 'America/Sao_Paulo', '2018-11-04', 23 ], [ 'Australia/Lord_Howe', '2018-04-01', 24.5 ],
	[ 'Australia/Lord_Howe', '2018-10-07', 23.5 ])
{
	my ($zone, $day, $hours) = @$case;
	my $name = "$zone, $day";
	my @zone = (window_column => q['local'], time_zone => "'$zone'");
	my ($start, $end) = map { "(date '$day' + $_)::timestamp AT TIME ZONE '$zone'" } 0, 1;
	# What clocks show every ten minutes of the day and of the hours around it.
	$source->safe_psql('postgres', <<~SQL);
		TRUNCATE wall;
		INSERT INTO wall SELECT row_number() OVER (), at AT TIME ZONE '$zone', (at AT TIME ZONE '$zone')::date
		  FROM generate_series($start - interval '6 hours', $end + interval '6 hours', interval '10 minutes') AS at;
		SQL
	result('TRUNCATE wall');
	is(result(copy_sql('SELECT * FROM wall', $day, @zone)), $hours * 6, "$name: the day has $hours hours");
	is(result($loaded), $source->safe_psql('postgres', "$loaded WHERE day = '$day'"), "$name: its rows");
	result('TRUNCATE wall');
	is(result(copy_sql('SELECT * FROM wall', $day, window_column => q['day'], time_zone => "'$zone'")), $hours * 6, "$name: as dates");
	is(result(look_sql('verify', 'SELECT * FROM wall', $day, @zone)), 't|' . $hours * 6 . '|' . $hours * 6 . '|0|0|0', "$name: verify");

	# Windows of 20 minutes, one after the other, over all of it.
	result('TRUNCATE wall', q[SELECT copy_incremental_forget('wall', NULL, NULL)]);
	$destination->safe_psql('postgres', <<~SQL);
		SELECT count(copy_incremental_range('src', 'SELECT * FROM wall', tstzrange(at, at + interval '20 minutes'), window_column => 'local',
		         time_zone => '$zone', settle => 'off', verify => true))
		  FROM generate_series($start - interval '6 hours', $end + interval '6 hours', interval '20 minutes') AS at
		SQL
	is(result($loaded), $source->safe_psql('postgres', $loaded), "$name: windows of 20 minutes load each row once");
	is(result('TRUNCATE wall', q[SELECT copy_incremental_forget('wall', NULL, NULL)],
			"SELECT copy_incremental_range('src', 'SELECT * FROM wall', tstzrange($start + interval '40 minutes', $start + interval '160 minutes'),
			  window_column => 'local', time_zone => '$zone')", $loaded) =~ s/^\d+\n\d+\n//r,
		$source->safe_psql('postgres', "$loaded WHERE local AT TIME ZONE '$zone' >= $start + interval '40 minutes'
			AND local AT TIME ZONE '$zone' < $start + interval '160 minutes'"), "$name: two hours of it");
}

# A day of one zone, of a column with the local time of another one.
$source->safe_psql('postgres', <<~'SQL');
	TRUNCATE wall;
	INSERT INTO wall SELECT g, timestamp '2018-11-03' + g * interval '10 minutes', NULL FROM generate_series(0, 431) AS g;
	INSERT INTO wall VALUES (1000, 'infinity', 'infinity'), (1001, '-infinity', '-infinity'), (1002, NULL, NULL);
	SQL
for my $zones ([ 'UTC', 'America/New_York' ], [ 'America/New_York', 'UTC' ], [ 'Asia/Kathmandu', 'America/New_York' ], [ 'Europe/London', 'Australia/Lord_Howe' ])
{
	my ($zone, $column_zone) = @$zones;
	is(result('TRUNCATE wall', copy_sql('SELECT * FROM wall', '2018-11-04', window_column => q['local'], time_zone => "'$zone'",
				column_time_zone => "'$column_zone'", mode => q['upsert']), $loaded) =~ s/^\d+\n//r,
		$source->safe_psql('postgres', "$loaded WHERE local AT TIME ZONE '$column_zone' >= timestamp '2018-11-04' AT TIME ZONE '$zone'
			AND local AT TIME ZONE '$column_zone' < timestamp '2018-11-05' AT TIME ZONE '$zone'"), "a day of $zone, local times of $column_zone");
}

# One day in two sessions with different time zones: the second run would load the same local times again.
$source->safe_psql('postgres', q[UPDATE wall SET day = local::date]);
for my $column ('local', 'day')
{
	my $load = sub { my ($zone, $day, @more) = @_; return "SET timezone = '$zone'; " . copy_sql('SELECT * FROM wall WHERE id < 1000', $day,
			window_column => "'$column'", on_rerun => q['error'], @more); };
	result(q[SELECT copy_incremental_forget('wall', NULL, NULL)], 'TRUNCATE wall', $load->('America/New_York', '2018-11-04'));
	fails_with($destination, $load->('UTC', '2018-11-04'), 'PI001', qr/window 2018-11-04 of public.wall was loaded in part/, "$column: the day of another session's time zone");
	fails_with($destination, $load->('UTC', '2018-11-05', on_rerun => q['skip']), 'PI001', qr/window 2018-11-05 of public.wall was loaded in part/,
		"$column: the next day, on_rerun skip");
	is(result($load->('America/Toronto', '2018-11-05')), 144, "$column: a time zone with the same clocks");
	is(result($load->('UTC', '2018-11-03', mode => q['upsert'], on_rerun => q['error'])), 144, "$column: mode upsert");
}

# A job takes a window as loaded only if the rows were those of its zone.
result(q[SELECT copy_incremental_forget('wall', NULL, NULL)], 'TRUNCATE wall', copy_sql('SELECT * FROM wall', '2018-11-04', window_column => "'local'", time_zone => "'UTC'"));
fails_with($destination, define_job('wall', 'SELECT * FROM wall', window_column => "'local'", column_time_zone => "'America/New_York'", time_zone => "'UTC'", first_day => "'2018-11-04'", target => "'wall'", on_rerun => "'skip'")
	  . "; SELECT copy_incremental_run('wall', '2018-11-04')", '22023', qr/window_column "local" was read as local time of (Etc\/)?UTC/, 'a job of another column_time_zone');

# The type of the column changes at the source, and with it what a window is.
for my $mode ('append', 'replace')
{
	for my $types ([ 'timestamp', 'timestamptz' ], [ 'timestamptz', 'timestamp' ], [ 'timestamptz', 'date' ])
	{
		my ($before, $after) = @$types;
		my $name = "$mode, $before to $after";
		my ($was, $is) = map { /tz/ ? 'timestamptz' : 'local time' } $before, $after;
		my $define = define_job('moved', 'SELECT * FROM moved', window_column => "'at'", time_zone => "'UTC'", first_day => "'2018-07-29'", target => "'moved'", mode => "'$mode'");
		my $change = "ALTER TABLE moved ALTER at TYPE $after USING at AT TIME ZONE 'Europe/Berlin'";
		on_both("DROP TABLE IF EXISTS moved; CREATE TABLE moved (id int, at $before)", $source, $destination);
		$source->safe_psql('postgres', "SET TimeZone = UTC; INSERT INTO moved SELECT g, timestamp '2018-07-29' + g * interval '1 hour' FROM generate_series(0, 71) AS g");
		is(result($define, q[SELECT copy_incremental_run('moved', '2018-07-29')]), 24, "$name: before");
		on_both($change, $source, $destination);
		fails_with($destination, q[SELECT copy_incremental_run('moved', '2018-07-30')], '42804', qr/window_column "at" of job "moved" was $was, and is $is now/, "$name: an error");
		result($define, q[SELECT copy_incremental_forget('moved', '2018-07-29', '2018-07-29')], 'TRUNCATE moved');
		cmp_ok(result(q[SELECT copy_incremental_run('moved', '2018-07-29')]), '>=', 22, "$name: defined again");
		cmp_ok(result(q[SELECT copy_incremental_run('moved', '2018-07-30')]), '>=', 24, "$name: and the next day");
		result(q[SELECT copy_incremental_drop_job('moved')]);
	}
}

done_testing();
