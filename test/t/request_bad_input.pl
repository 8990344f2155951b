# The catalogue of bad input, as far as it needs no hostile server: each case has, by either method, its SQLSTATE and a
# clear message, and leaves the target as it was and no session at the source. B numbers count the kinds of bad input.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my $port = $source->port;
my $password = $TwoServers::password;

$source->safe_psql('postgres', <<~'SQL');
	CREATE TYPE mood AS ENUM ('sad', 'mad');
	CREATE TYPE day_text AS ENUM ('2018-07-29', 'soon');
	CREATE TABLE t (id int, name text, d date);
	INSERT INTO t SELECT g, 'row ' || g, '2018-07-29' FROM generate_series(1, 5) AS g;
	CREATE TABLE "a;b ""c"" 'd' é😀" AS TABLE t;
	CREATE TABLE secured AS TABLE t;
	ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
	CREATE POLICY a_few ON secured USING (id < 3);
	CREATE ROLE etl_poor LOGIN PASSWORD 'x';
	CREATE SEQUENCE counter;
	GRANT USAGE ON counter TO etl_reader;
	CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0;
	SQL
$source->safe_psql('ascii', q[SET client_encoding = SQL_ASCII; CREATE TABLE t AS SELECT 1 AS id, E'ok \xc3 cut'::text AS name]);
$destination->safe_psql('postgres', <<~SQL);
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE DOMAIN small AS int CHECK (value < 4);
	CREATE TABLE t (id int, name text, d date);
	INSERT INTO t VALUES (0, 'was here', '2018-07-28');
	CREATE TABLE typed (id small DEFAULT 0, n int2, m numeric(3, 2), v varchar(3), b int8, f mood, d date, j json, u uuid);
	CREATE TABLE named (id int PRIMARY KEY, name text NOT NULL CHECK (name <> 'row 4'));
	CREATE TABLE parents (id int PRIMARY KEY);
	CREATE TABLE child (id int REFERENCES parents, EXCLUDE (id WITH =));
	CREATE TABLE later (id int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
	CREATE TABLE parts (id int) PARTITION BY RANGE (id);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (4);
	CREATE TABLE refusing (id int);
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
	  \$\$ BEGIN RAISE EXCEPTION 'not %', new.id USING ERRCODE = 'QQ001'; END \$\$;
	CREATE TRIGGER refuse BEFORE INSERT ON refusing FOR EACH ROW WHEN (new.id = 5) EXECUTE FUNCTION refuse();
	CREATE TABLE calling (id int);
	CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS
	  \$\$ BEGIN PERFORM copy_incremental('src', 'SELECT * FROM t', NULL); RETURN new; END \$\$;
	CREATE TRIGGER again BEFORE INSERT ON calling FOR EACH ROW EXECUTE FUNCTION again();
	CREATE FUNCTION indexed(int) RETURNS bigint IMMUTABLE LANGUAGE sql SET search_path = public AS
	  \$\$ SELECT copy_incremental('src', 'SELECT * FROM t', NULL) \$\$;
	CREATE MATERIALIZED VIEW refreshed AS SELECT copy_incremental('src', 'SELECT * FROM t', NULL) WITH NO DATA;
	CREATE SEQUENCE seq;
	CREATE ROLE caller;
	GRANT EXECUTE ON FUNCTION copy_incremental TO caller;
	GRANT USAGE ON FOREIGN SERVER src TO caller;
	GRANT INSERT (id) ON t TO caller;
	CREATE SERVER poor FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR PUBLIC SERVER poor OPTIONS (user 'etl_poor', password 'x');
	CREATE FUNCTION rows_of_all_tables(OUT total bigint) LANGUAGE plpgsql AS \$\$
	DECLARE name regclass; n bigint;
	BEGIN
	  total := 0;
	  FOR name IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
	    EXECUTE format('SELECT count(*) FROM %s', name) INTO n;
	    total := total + n;
	  END LOOP;
	END \$\$;
	SQL

my $day = '2018-07-29';
my $conninfo = "host=127.0.0.1 port=$port dbname=postgres user=etl_reader";
my $as = 'SET ROLE caller; ';

# The text of a call for the whole result of a query, into a target.
sub into
{
	my ($target, $query) = @_;
	return copy_sql($query, undef, target => "'$target'", batch => 2);
}

# The text of a call by this connection string.
sub by
{
	my ($text) = @_;
	return copy_sql('SELECT * FROM t', undef, src_conninfo => "\$s\$$text\$s\$");
}

my @cases = (
	[ 'B1', 'source NULL', copy_sql('SELECT 1', undef, src_conninfo => 'NULL'), '22004', qr/"src_conninfo" must not be null/ ],
	[ 'B2', 'template NULL', "SELECT copy_incremental('src', NULL, NULL)", '22004', qr/"query_template" must not be null/ ],
	[ 'B2', 'template empty', copy_sql('', $day), '42601', qr/query template is empty/ ],
	[ 'B2', 'template a comment', copy_sql('-- x', $day), '42601', qr/query template is empty/ ],
	[ 'B3', 'day NULL for a template with one', copy_sql('SELECT * FROM t WHERE d = $1', undef), '22023', qr/but day is null/ ],
	[ 'B4', 'day infinite', copy_sql('SELECT * FROM t WHERE d = $1', 'infinity'), '22008', qr/must be a finite date/ ],
	[ 'B4', 'day infinitely early', copy_sql('SELECT * FROM t WHERE d = $1', '-infinity'), '22008', qr/must be a finite date/ ],
	[ 'B5', 'day before Christ', copy_sql('SELECT * FROM t WHERE d = $1', '0001-01-01 BC'), '22008', qr/year BC/ ],
	[ 'B5', 'day beyond timestamptz', copy_sql('SELECT * FROM t WHERE d = $1', '5874897-12-31'), '22008', qr/out of range/ ],
	[ 'B6', 'batch 0', copy_sql('TABLE t', undef, batch => 0), '22023', qr/batch must be between 1 and 1000000/ ],
	[ 'B6', 'batch too large', copy_sql('TABLE t', undef, batch => 1000000000), '22023', qr/batch must be between 1 and/ ],
	[ 'B7', 'no placeholder', copy_sql('TABLE t', $day), '22023', qr/no placeholder for the day/ ],
	[ 'B8', 'unknown placeholder', copy_sql("SELECT '{month}'", $day), '22023', qr/unknown placeholder "\{month\}"/ ],
	[ 'B8', 'unterminated placeholder', copy_sql("SELECT '{day'", $day), '22023', qr/single "\{" that belongs to no/ ],
	[ 'B10', 'two statements', copy_sql('SELECT 1; SELECT 2', undef), '42601', qr/must be a single SELECT, VALUES or TABLE/ ],
	[ 'B11', 'out of a wrapping COPY', into('t', "select 1) to program 'true' --"), '42601', qr/syntax error at or near "\)"/ ],
	[ 'B12', 'COPY TO', copy_sql('COPY (SELECT 1) TO STDOUT', undef), '42601', qr/must be a single SELECT/ ],
	[ 'B13', 'COPY FROM', copy_sql('COPY t FROM STDIN', undef), '42601', qr/must be a single SELECT/ ],
	[ 'B14', 'INSERT ... RETURNING', copy_sql('INSERT INTO t VALUES (1) RETURNING id', undef), '25006', qr/must not write at the source/ ],
	[ 'B15', 'SET TRANSACTION', copy_sql('SET TRANSACTION READ WRITE', undef), '42601', qr/must be a single SELECT/ ],
	[ 'B15', 'COMMIT', copy_sql('COMMIT', undef), '42601', qr/must be a single SELECT/ ],
	[ 'B15', 'LISTEN', copy_sql('LISTEN x', undef), '42601', qr/must be a single SELECT/ ],
	[ 'B15', 'set_config', into('t', q[SELECT 1 AS id FROM set_config('transaction_read_only', 'off', false)]), '25001',
		qr/transaction read-write mode must be set before any query/ ],
	[ 'B16', 'nextval()', into('t', q[SELECT nextval('counter')::int AS id]), '25006', qr/cannot execute nextval/ ],
	[ 'B17', 'a syntax error', copy_sql('SELEC * FROM t', undef), '42601', qr/syntax error at or near "SELEC"\nLINE 1: SELEC/ ],
	[ 'B18', 'no such table at the source', copy_sql('TABLE nowhere', undef), '42P01', qr/on source server src/ ],
	[ 'B18', 'no such column at the source', copy_sql('SELECT nothing FROM t', undef), '42703', qr/on source server src/ ],
	[ 'B19', 'no columns', copy_sql('SELECT FROM t', undef), '42804', qr/query template returns no columns/ ],
	[ 'B20', 'no right at the source', copy_sql('TABLE t', undef, src_conninfo => "'poor'"), '42501',
		qr/permission denied for table t.*on source server poor/s ],
	[ 'B21', 'row security at the source', into('t', 'TABLE secured'), '42501', qr/would be affected by row-level security/ ],
	[ 'B22', 'no connection string', by('x'), '42704', qr/neither a foreign server nor a connection string/ ],
	[ 'B22', 'a quote that is not closed', by("host='x"), '22023', qr/invalid connection string/ ],
	[ 'B23', 'a password with a space', by("$conninfo password=abc S3CRET"), '22023', qr/invalid connection string/ ],
	[ 'B24', 'a URI with %', by("postgresql://u:p%S3CRET\@127.0.0.1/x"), '22023', qr/invalid connection string/ ],
	[ 'B25', 'port abc', by("$conninfo port=abc"), '08001', qr/could not connect/ ],
	[ 'B25', 'three ports for two hosts', by("host=127.0.0.1,127.0.0.1 port=1,2,3"), '08001', qr/could not connect/ ],
	[ 'B26', 'an unknown option', by("$conninfo passwrd=S3CRET"), '22023', qr/invalid connection string/ ],
	[ 'B27', 'service=', $as . by("$conninfo service=x"), '42501', qr/connection option "service"/ ],
	[ 'B28', 'replication=', by("$conninfo replication=database"), '42501', qr/connection option "replication"/ ],
	[ 'B29', 'no host', $as . by("port=$port password=x"), '42501', qr/without a host/ ],
	[ 'B30', 'two hosts', $as . by("$conninfo host=a,b password=x"), '42501', qr/one of several hosts/ ],
	[ 'B31', 'a connection string in dbname', by("$conninfo password=$password dbname='host=evil'"), '08004', qr/could not connect/ ],
	[ 'B32', 'no password', $as . by($conninfo), '2F003', qr/password is required/ ],
	[ 'B33', 'a source that trusts', $as . by("$conninfo user=etl_trusted password=x"), '2F003', qr/did not ask for a password/ ],
	[ 'B34', 'a wrong password', by("$conninfo password=x"), '08004', qr/password authentication failed/ ],
	[ 'B35', 'a port where nobody listens', by("$conninfo port=1"), '08001', qr/Connection refused/ ],
	[ 'B36', 'no user mapping', $as . copy_sql('TABLE t', undef), '42704', qr/user mapping not found for "caller"/ ],
	[ 'B37', 'no such target', into('nowhere', 'TABLE t'), '42P01', qr/relation "nowhere" does not exist/ ],
	[ 'B37', 'no target of that name', copy_sql('SELECT oid FROM pg_am', undef), '42P01', qr/target table public\.pg_am does not exist/ ],
	[ 'B38', 'a sequence', into('seq', 'SELECT 1 AS id'), '42809', qr/cannot copy into "seq"/ ],
	[ 'B38', 'a materialized view', into('refreshed', 'SELECT 1 AS id'), '42809', qr/cannot copy into "refreshed"/ ],
	[ 'B39', 'a catalog', into('pg_am', 'SELECT 1 AS oid'), '42501', qr/"pg_am" is a system catalog/ ],
	[ 'B41', 'no right to insert', $as . into('parents', 'SELECT 1 AS id'), '42501', qr/permission denied for table parents/ ],
	[ 'B41', 'no right to insert a column', $as . by("$conninfo password=$password"), '42501', qr/permission denied for table t/ ],
	[ 'B45', 'a column twice', into('t', 'SELECT id, id FROM t'), '42701', qr/column "id" more than once/ ],
	[ 'B46', 'a column too many', into('parents', 'TABLE t'), '42804', qr/source column "name" does not exist in target/ ],
	[ 'B48', 'int8 into int2', into('typed', 'SELECT 2147483648 AS n'), '22003', qr/smallint out of range/ ],
	[ 'B49', 'timestamptz into int8', into('typed', 'SELECT now() AS b'), '42804', qr/"b" is of type bigint but expression is of type timestamp/ ],
	[ 'B50', 'an enum label that is missing', into('typed', q[SELECT 'mad'::mood AS f]), '22P02', qr/invalid input value for enum mood: "mad"/ ],
	[ 'B50', 'a domain check', into('typed', 'SELECT id FROM t ORDER BY id'), '23514', qr/value for domain small violates/ ],
	[ 'B51', 'a text too long', into('typed', 'SELECT name AS v FROM t'), '22001', qr/value too long for type character varying\(3\)/ ],
	[ 'B51', 'a numeric too large', into('typed', 'SELECT id * 2.5 AS m FROM t'), '22003', qr/numeric field overflow/ ],
	[ 'B51', 'an int too large', into('typed', 'SELECT 40000 AS n'), '22003', qr/smallint out of range/ ],
	[ 'B52', 'a bad date as text', into('typed', q[SELECT unnest(enum_range(NULL::day_text)) AS d]), '22007',
		qr/invalid input syntax for type date: "soon".*(column "d" of row 2 of the source|line 2, column d)/s ],
	[ 'B53', 'invalid UTF-8', by("$conninfo dbname=ascii password=$password"), '22021', qr/invalid byte sequence for encoding "UTF8"/ ],
	[ 'B61', 'NOT NULL', into('named', 'SELECT id, NULL::text AS name FROM t'), '23502', qr/null value in column "name"/ ],
	[ 'B61', 'CHECK', into('named', 'SELECT id, name FROM t'), '23514', qr/violates check constraint/ ],
	[ 'B61', 'PRIMARY KEY', into('named', q[SELECT id / 3 AS id, name FROM t WHERE id <> 4]), '23505', qr/duplicate key value/ ],
	[ 'B61', 'FOREIGN KEY', into('child', 'SELECT id FROM t'), '23503', qr/violates foreign key constraint/ ],
	[ 'B61', 'EXCLUDE', into('child', 'SELECT 1 AS id FROM t'), '23P01', qr/violates exclusion constraint/ ],
	[ 'B62', 'no partition', into('parts', 'SELECT id FROM t'), '23514', qr/no partition of relation "parts"/ ],
	[ 'B63', 'a deferred FOREIGN KEY', into('later', 'SELECT id FROM t'), '23503', qr/violates foreign key constraint/ ],
	[ 'B64', 'a trigger that raises', into('refusing', 'SELECT id FROM t'), 'QQ001', qr/not 5/ ],
	[ 'B66', 'a trigger that calls back', into('calling', 'SELECT id FROM t'), '55006', qr/already running in this session/ ],
	[ 'B67', 'a read-only transaction', 'BEGIN READ ONLY; ' . copy_sql('TABLE t', undef), '25006', qr/in a read-only transaction/ ],
	[ 'B68', 'an index expression', 'CREATE INDEX ON t (indexed(id))', '42501', qr/within security-restricted operation/ ],
	[ 'B68', 'a materialized view', 'REFRESH MATERIALIZED VIEW refreshed', '42501', qr/within security-restricted operation/ ]);

my $before = $destination->safe_psql('postgres', 'SELECT rows_of_all_tables()');
my (%good, %all);
my $internal = 0;

# Runs a case by a method.
sub refused
{
	my ($method, $number, $name, $sql, $sqlstate, $message) = @_;
	my ($status, $out, $err) = $destination->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my $clear = $status != 0 && $err =~ /ERROR:  $sqlstate: / && $err =~ $message;
	my $after = $destination->safe_psql('postgres', 'SELECT rows_of_all_tables()');
	my $sessions = wait_until($source, q[SELECT count(*) = 0 FROM pg_stat_activity WHERE usename ~ '^etl_']) ? 0 : 'some';
	my $ok = ok($clear && $after == $before && $sessions eq '0', "$number $name: $sqlstate, $method")
	  or diag("wanted $message, got status $status; rows $before, then $after; sessions at the source $sessions: $err");
	$before = $after;
	$all{$method}++;
	$good{$method}++ if $ok;
	$internal++ if $err =~ /ERROR:  XX/;
	return;
}

for my $case (@cases)
{
	my ($number, $name, $sql, @wanted) = @$case;
	refused('cursor', $number, $name, $sql, @wanted);
	# What calls it there is made for one method.
	refused('copy', $number, $name, $sql, @wanted) if $sql =~ s/\)$/, method => 'copy')/ && $number ne 'B68';
}
is($internal, 0, 'no internal error');

# What looks bad, but is right.
copies($destination, copy_sql(q[SELECT * FROM "a;b ""c"" 'd' é😀" WHERE d = $1], $day, target => "'t'"), 5, 'SELECT count(*) FROM t', 6,
	'B42 a quoted name');
copies($destination, into('typed', 'SELECT id + 0.5::float8 AS b FROM t'), 5, 'SELECT string_agg(b::text, $$ $$ ORDER BY b) FROM typed',
	'2 2 4 4 6', 'B49 float8 into int8 is cast');
copies($destination, into('t', 'SELECT name AS name, id + 10 AS id FROM t'), 5, 'SELECT min(name) FROM t WHERE id > 10', 'row 1',
	'B47 columns in another order map by name');

my %numbers = map { $_->[0] => 1 } @cases;
diag(sprintf 'bad input: %d kinds; method cursor %d of %d, method copy %d of %d: SQLSTATE and message, an unchanged target, a closed connection',
	scalar keys %numbers, map { $good{$_}, $all{$_} } 'cursor', 'copy');
done_testing();
