# The call as its users write it: both template styles, whole tables, batches, sources given in every form.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(destination => "timezone = 'America/New_York'\n");
my $port = $source->port;

$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE users (id int PRIMARY KEY, name text, created_at timestamptz);
	INSERT INTO users SELECT g, 'user ' || g, timestamptz '2018-07-28 00:00:00-04' + g * interval '1 minute'
	  FROM generate_series(0, 3 * 1440 - 1) AS g;
	SQL
my $create = 'CREATE TABLE users (id int PRIMARY KEY, name text, created_at timestamptz)';
$destination->safe_psql('postgres', $create);

my $braces = q[SELECT * FROM users WHERE created_at::date = date '{}'];
my $bound = 'SELECT * FROM users WHERE created_at >= $1 AND created_at < $2';
my $checksum = 'SELECT count(*), sum(hashtextextended(u::text, 0)) FROM users AS u';

sub equal_days
{
	my ($name, @days) = @_;
	my $days = join ',', map { "'$_'" } @days;
	my $sql = "SET timezone = 'America/New_York'; $checksum WHERE created_at::date IN ($days)";
	is($destination->safe_psql('postgres', "SET timezone = 'America/New_York'; $checksum"),
		$source->safe_psql('postgres', $sql), $name);
}

is($destination->safe_psql('postgres', copy_sql($braces, '2018-07-29')), 1440, 'placeholder: rows of the day');
equal_days('placeholder: the day and nothing else', '2018-07-29');
is($destination->safe_psql('postgres', copy_sql($bound, '2018-07-28')), 1440, 'parameters: rows of the day');
equal_days('parameters: two days', '2018-07-28', '2018-07-29');
is($destination->safe_psql('postgres', copy_sql("$bound;  -- done", '2018-08-30')), 0, 'a day without rows');

for my $batch (1, 7, 1439, 1440, 1441, 1000000)
{
	$destination->safe_psql('postgres', 'TRUNCATE users');
	is($destination->safe_psql('postgres', copy_sql($bound, '2018-07-29', batch => $batch)), 1440, "batch $batch");
	equal_days("batch $batch: same rows", '2018-07-29');
}

$destination->safe_psql('postgres', 'TRUNCATE users');
is($destination->safe_psql('postgres', copy_sql('TABLE users', undef)), 4320, 'day NULL copies the whole table');

my $conninfo = "host=127.0.0.1 port=$port dbname=postgres user=etl_reader password=$TwoServers::password";
my $authority = "etl_reader:$TwoServers::password\@127.0.0.1:$port";
for my $form (
	[ 'connection string', $conninfo ],
	[ 'URI', "postgresql://$authority/postgres?application_name=x" ],
	[ 'URI of Airflow', "postgres://$authority/postgres?sslmode=prefer&cursor=dictcursor" ],
	[ 'URI of Airflow, nested extras', "postgres://$authority/postgres?__extra__="
		  . '%7B%22sslmode%22%3A+%22prefer%22%2C+%22keepalives_idle%22%3A+30%2C+%22iam%22%3A+false%7D' ],
	[ 'URI of SQLAlchemy', "postgresql+psycopg2://$authority/postgres" ])
{
	my ($name, $text) = @$form;
	$destination->safe_psql('postgres', 'TRUNCATE users');
	is($destination->safe_psql('postgres', copy_sql($bound, '2018-07-29', src_conninfo => "'$text'")), 1440, $name);
}

# A day is a day of time_zone, at both ends.
$destination->safe_psql('postgres', 'TRUNCATE users');
$destination->safe_psql('postgres', copy_sql($_, '2018-07-29', time_zone => "'Asia/Tokyo'")) for $braces;
my $tokyo = $destination->safe_psql('postgres', $checksum);
$destination->safe_psql('postgres', 'TRUNCATE users');
$destination->safe_psql('postgres', copy_sql($bound, '2018-07-29', time_zone => "'Asia/Tokyo'"));
is($destination->safe_psql('postgres', $checksum), $tokyo, 'time_zone: both styles copy the same day');
is($destination->safe_psql('postgres', 'SELECT min(created_at AT TIME ZONE $$Asia/Tokyo$$) FROM users'),
	'2018-07-29 00:00:00', 'time_zone: the day begins there');

no_session_left($source, 'no session is left at the source');
done_testing();
