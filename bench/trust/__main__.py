from bench.trust.command import main

if __name__ == "__main__":
    main()
