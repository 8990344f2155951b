# Jobs: defined once, used by their names.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
on_both('CREATE TABLE rows (id int, moment timestamptz NOT NULL)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO rows SELECT g, timestamptz '2018-07-28 00:00+00' + g * interval '1 hour' FROM generate_series(0, 95) AS g]);

my $query = q['SELECT * FROM rows WHERE moment >= $1 AND moment < $2'];
sub sql { return one_line($destination, 'verbose', @_) }
sub create
{
	my ($name, %option) = @_;
	my @arguments = ("'$name'", delete $option{src_conninfo} // "'src'", delete $option{query} // $query);
	my %argument = (first_day => "'2018-07-28'", time_zone => "'UTC'", %option);
	return 'SELECT copy_incremental_create_job(' . join(', ', @arguments, map { "$_ => $argument{$_}" } sort keys %argument) . ')';
}
my $count = 'SELECT count(*), count(DISTINCT id) FROM rows';

is(sql(create('rows')), '', 'a job is defined');
is(sql(q[SELECT copy_incremental_run('rows', '2018-07-28')], $count), '24 24|24', 'a day is loaded by the name of the job');
like(sql(q[SELECT copy_incremental_run('rows', '2018-07-28')]), qr/ERROR:  PI001: window 2018-07-28 of job "rows" into public\.\S+ was already loaded.*CONTEXT:  job "rows"/, 'and not twice');
is(sql(q{SELECT copy_incremental_run_range('rows', '[2018-07-29 00:00+00, 2018-07-29 06:00+00)')}), '6', 'a range');
like(sql(q[SELECT copy_incremental_run('rows', '2018-07-29')]), qr/ERROR:  PI001: window 2018-07-29 of job "rows" into public\.\S+ was loaded in part/, 'a window that overlaps it');
is(sql('SELECT job_id, covered FROM pgci_coverage'), '1|{["2018-07-28 00:00:00+00","2018-07-29 06:00:00+00")}', 'what is loaded');
is(sql('SELECT job, attempt, settled, status FROM copy_incremental_runs ORDER BY run_id'), 'rows|1|t|succeeded rows|1|t|succeeded', 'the runs know their job');

# Definitions
like(sql(create('rows')), qr/ERROR:  42710: job "rows" already exists/, 'a name that is taken');
is(sql(create('rows', or_replace => 'true', mode => "'replace'", replace_where => q['moment >= $1 AND moment < $2'])), '', 'replaced, as often as one likes');
is(sql(q[SELECT copy_incremental_run('rows', '2018-07-29')], $count), '24 48|48', 'with its record of windows, and the new mode');
is(sql('SELECT options FROM pgci_jobs'), q[{"mode": "replace", "replace_where": "moment >= $1 AND moment < $2"}], 'options that are not the default are stored');
$destination->safe_psql('postgres', 'CREATE TABLE other (LIKE rows)');
like(sql(create('rows', or_replace => 'true', target => "'other'")), qr/ERROR:  0A000: the target of job "rows" cannot be changed/, 'but not with another target');
like(sql(q[SELECT copy_incremental_run('rosw', '2018-07-29')]), qr/ERROR:  42704: job "rosw" does not exist.*HINT:  Perhaps you meant the job "rows"/, 'an unknown name');
like(sql(q[SELECT copy_incremental_run('nothing like it', '2018-07-29')]), qr/ERROR:  42704: .*HINT:  The view copy_incremental_jobs/, 'a name like no other');
my $port = $source->port;
for my $case ([ 'a password', '22023', src_conninfo => "'host=127.0.0.1 port=$port user=etl_reader dbname=postgres password=$TwoServers::password'" ],
	[ 'a password in a URI', '22023', src_conninfo => "'postgresql://etl_reader:$TwoServers::password\@127.0.0.1:$port/postgres'" ],
	[ 'a window that does not divide a day', '22023', window_size => "'7 hours'" ], [ 'a window of nothing', '22023', window_size => "'0'" ],
	[ 'a window of two units', '22023', window_size => "'1 day 6 hours'" ], [ 'a window that is too small', '22023', window_size => "'1 minute'" ],
	[ 'a negative window', '22023', window_size => "'-1 day'" ], [ 'a NULL window', '22023', window_size => 'NULL' ],
	[ 'a negative lag', '22023', lag => "'-1 hour'" ], [ 'no such mode', '22023', mode => "'merge'" ],
	[ 'no such zone', '22023', time_zone => "'Mars'" ], [ 'no such server', '42704', src_conninfo => "'nowhere'" ],
	[ 'no such source table', '42P01', query => q['SELECT * FROM nothing WHERE at >= $1 AND at < $2'] ],
	[ 'no day in the query', '22023', query => q['SELECT * FROM rows'] ], [ 'no such option', '42883', colour => "'red'" ],
	[ 'a column that the target lacks', '42804', query => q['SELECT *, 1 AS more FROM rows WHERE moment >= $1 AND moment < $2'] ],
	[ 'no key', '42P10', mode => "'upsert'" ], [ 'an infinite first day', '22008', first_day => "'infinity'" ])
{
	my ($name, $sqlstate, @option) = @$case;
	my $said = sql(create('bad', @option));
	like($said, qr/ERROR:  $sqlstate: /, "refused: $name");
	unlike($said, qr/$TwoServers::password/, "no secret: $name");
}
is(sql('SELECT count(*) FROM pgci_jobs'), '1', 'nothing of them is stored');
like(sql(create('', target => "'rows'")), qr/ERROR:  22023: the name of a job must not be empty/, 'an empty name');
like(sql(create('x' x 64)), qr/ERROR:  22023: job name .* is too long/, 'a long name');
for my $case ([ 'a line break', '\n' ], [ 'a tab', '\t' ], [ 'an escape sequence', '\x1b[2J' ], [ 'a delete', '\x7f' ], [ 'a C1 control', '\u009b2J' ])
{
	my ($name, $text) = @$case;
	my $create = create('NAME', target => "'rows'") =~ s/'NAME'/E'a${text}b'/r;
	is(sql($create), 'ERROR:  22023: the name of a job must not contain control characters HINT:  Line breaks, tabs and escape sequences are control characters.', "$name in a name");
}
is(sql(create("d\x{c3}\x{a9}j\x{c3}\x{a0} 'vu'" =~ s/'/''/gr, target => "'rows'"), 'SELECT job FROM pgci_jobs ORDER BY job_id DESC LIMIT 1', q[SELECT copy_incremental_drop_job(job) FROM pgci_jobs WHERE job LIKE 'd%']),
	" d\x{c3}\x{a9}j\x{c3}\x{a0} 'vu'", 'other characters, blanks and quotes are allowed');

# A table that comes later
like(sql(create('later', target => "'later'")), qr/WARNING:  42P01: table public\.later, the target of job "later", does not exist yet.*CREATE TABLE public\.later/s, 'a target that does not exist yet is a warning');
like(sql(q[SELECT copy_incremental_run('later', '2018-07-29')]), qr/ERROR:  42P01: table public\.later, the target of job "later", does not exist/, 'without it nothing runs');
is(sql('CREATE TABLE later (LIKE rows)', q[SELECT copy_incremental_run('later', '2018-07-29')]), '24', 'with it the job runs');

# Names that change, objects that go
is(sql('ALTER TABLE rows RENAME TO renamed', 'ALTER SERVER src RENAME TO elsewhere', q[SELECT copy_incremental_run('rows', '2018-07-30')], 'SELECT count(*) FROM renamed'),
	'24 72', 'renamed target and server are the same');
like(sql('DROP TABLE renamed', 'CREATE TABLE renamed (LIKE later)', q[SELECT copy_incremental_run('rows', '2018-07-30')]),
	qr/ERROR:  42P01: table public.rows, the target of job "rows", does not exist.*dropped/, 'a table that takes the name of a dropped one is another');
like(sql('DROP SERVER elsewhere CASCADE', q[SELECT copy_incremental_run('later', '2018-07-30')]), qr/ERROR:  42704: the foreign server of job "later" does not exist/, 'the server is dropped');
is(sql(q[SELECT copy_incremental_drop_job('rows')], q[SELECT copy_incremental_drop_job('later')], 'SELECT count(*) FROM pgci_jobs', 'SELECT count(*) FROM pgci_coverage',
		'SELECT count(*) FROM copy_incremental_runs'), '  0 0 5', 'dropped jobs leave their runs, and no record of windows');
like(sql(q[SELECT copy_incremental_drop_job('rows')]), qr/ERROR:  42704/, 'dropped twice');

done_testing();
