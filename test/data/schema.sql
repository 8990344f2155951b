-- The tables of the CSV files in this folder; load with (FORMAT csv, HEADER, NULL 'NA').
-- time_hour is the hour in UTC; year, month, day and hour are New York's local time.

CREATE TABLE flights (
    year            integer NOT NULL,
    month           integer NOT NULL,
    day             integer NOT NULL,
    dep_time        integer,            -- local, hhmm; NULL: cancelled
    sched_dep_time  integer NOT NULL,
    dep_delay       integer,            -- minutes
    arr_time        integer,
    sched_arr_time  integer NOT NULL,
    arr_delay       integer,
    carrier         text NOT NULL,
    flight          integer NOT NULL,
    tailnum         text,
    origin          text NOT NULL,
    dest            text NOT NULL,
    air_time        integer,            -- minutes
    distance        integer NOT NULL,   -- miles
    hour            integer NOT NULL,
    minute          integer NOT NULL,
    time_hour       timestamptz NOT NULL
);
CREATE INDEX flights_time_hour ON flights (time_hour);

CREATE TABLE weather (
    origin          text NOT NULL,
    year            integer NOT NULL,
    month           integer NOT NULL,
    day             integer NOT NULL,
    hour            integer NOT NULL,
    temp            double precision,   -- Fahrenheit
    dewp            double precision,
    humid           double precision,
    wind_dir        integer,            -- degrees
    wind_speed      double precision,   -- miles an hour
    wind_gust       double precision,
    precip          double precision NOT NULL,  -- inches
    pressure        double precision,   -- millibars
    visib           double precision NOT NULL,  -- miles
    time_hour       timestamptz NOT NULL,
    PRIMARY KEY (origin, time_hour)
);
CREATE INDEX weather_time_hour ON weather (time_hour);
