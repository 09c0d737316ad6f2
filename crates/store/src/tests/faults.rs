//! A disk that can lose its power, and run full.
